// External Secrets' provider for AWS, as its operator runs it: it reads a secret at each interval
// and keeps what is in it. A pool of pgx makes its connections with that.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	esv1 "github.com/external-secrets/external-secrets/apis/externalsecrets/v1"
	"github.com/external-secrets/external-secrets/pkg/provider/aws"
	"mayfly.invalid/clients/internal/pool"
	"mayfly.invalid/clients/internal/report"
	"sigs.k8s.io/yaml"
)

// example reads the example's manifests. What the operator's types do not have is an error.
func example(path string) (*esv1.SecretStore, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	store, secret := &esv1.SecretStore{}, &esv1.ExternalSecret{}
	documents := strings.Split(string(text), "\n---\n")
	if len(documents) != 2 {
		return nil, fmt.Errorf("%s has %d documents", path, len(documents))
	}
	if err := yaml.UnmarshalStrict([]byte(documents[0]), store); err != nil {
		return nil, err
	}
	return store, yaml.UnmarshalStrict([]byte(documents[1]), secret)
}

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
	store, err := example(os.Args[1])
	if err != nil {
		panic(err)
	}
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
