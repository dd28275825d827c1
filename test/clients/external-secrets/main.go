// External Secrets' provider for AWS, as its operator runs it: it reads a secret at each interval
// and keeps what is in it. A pool of pgx makes its connections with that.
package main

import (
	"context"
	"os"
	"sync/atomic"
	"time"

	esv1 "github.com/external-secrets/external-secrets/apis/externalsecrets/v1"
	"github.com/external-secrets/external-secrets/pkg/provider/aws"
	"mayfly.invalid/clients/internal/pool"
	"mayfly.invalid/clients/internal/report"
)

// sync does what the operator does for an ExternalSecret with `dataFrom: extract`.
func sync(store esv1.GenericStore) (pool.Login, error) {
	ctx := context.Background()
	client, err := (&aws.Provider{}).NewClient(ctx, store, nil, "default")
	if err != nil {
		return pool.Login{}, err
	}
	defer client.Close(ctx)
	key := esv1.ExternalSecretDataRemoteRef{Key: os.Getenv("SECRET_ID"), Version: "AWSCURRENT"}
	data, err := client.GetSecretMap(ctx, key)
	return pool.Login{
		Username: string(data["username"]),
		Password: string(data["password"]),
	}, err
}

func main() {
	service := &esv1.AWSProvider{Service: esv1.AWSServiceSecretsManager, Region: "eu-west-1"}
	spec := esv1.SecretStoreSpec{Provider: &esv1.SecretStoreProvider{AWS: service}}
	store := &esv1.SecretStore{Spec: spec}
	var newest atomic.Pointer[pool.Login]
	first, err := sync(store)
	if err != nil {
		panic(err)
	}
	newest.Store(&first)
	go func() {
		for range time.Tick(report.Seconds("CLIENT_CACHE_SECONDS")) {
			if next, err := sync(store); err != nil {
				report.Failed(err)
			} else {
				newest.Store(&next)
			}
		}
	}()
	connections, err := pool.New(func(context.Context) (pool.Login, error) {
		return *newest.Load(), nil
	})
	if err != nil {
		panic(err)
	}
	defer connections.Close()
	report.Run(func() (string, error) { return pool.User(connections) })
}
