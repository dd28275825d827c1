module mayfly.invalid/clients/caching-go

go 1.25.0

require (
	github.com/aws/aws-secretsmanager-caching-go/v2 v2.0.1
	mayfly.invalid/clients v0.0.0
)
