// AWS's cache for Go, which a pool of pgx asks whenever it makes a connection.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-secretsmanager-caching-go/v2/secretcache"
	"mayfly.invalid/clients/internal/pool"
	"mayfly.invalid/clients/internal/report"
)

func main() {
	cache, err := secretcache.New(func(cache *secretcache.Cache) {
		cache.CacheConfig.CacheItemTTL = report.Seconds("CLIENT_CACHE_SECONDS").Nanoseconds()
	})
	if err != nil {
		panic(err)
	}
	connections, err := pool.New(func(context.Context) (pool.Login, error) {
		text, err := cache.GetSecretString(os.Getenv("SECRET_ID"))
		if err != nil {
			return pool.Login{}, err
		}
		return pool.ParseSecret(text)
	})
	if err != nil {
		panic(err)
	}
	defer connections.Close()
	report.Run(func() (string, error) { return pool.User(connections) })
}
