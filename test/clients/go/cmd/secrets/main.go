// AWS's SDK for Go, which a pool of pgx asks whenever it makes a connection.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"mayfly.invalid/clients/internal/pool"
	"mayfly.invalid/clients/internal/report"
)

func main() {
	settings, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(err)
	}
	client := secretsmanager.NewFromConfig(settings)
	input := &secretsmanager.GetSecretValueInput{SecretId: aws.String(os.Getenv("SECRET_ID"))}
	connections, err := pool.New(func(ctx context.Context) (pool.Login, error) {
		secret, err := client.GetSecretValue(ctx, input)
		if err != nil {
			return pool.Login{}, err
		}
		return pool.ParseSecret(aws.ToString(secret.SecretString))
	})
	if err != nil {
		panic(err)
	}
	defer connections.Close()
	report.Run(func() (string, error) { return pool.User(connections) })
}
