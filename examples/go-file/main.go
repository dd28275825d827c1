// A program that can only read a file: it watches the file that the agent writes, and reloads its
// pool. `go-file /run/mayfly/orders.json /run/mayfly/ca.pem` counts orders once a second.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Login is a file of the format json, which is that of a database secret of AWS's.
type Login struct {
	Host, Username, Password, Dbname string
	Port                             uint16
}

// Open reads the file whole. It is never half written: the agent writes another one, and renames it.
func open(ctx context.Context, path, authorities string) (*pgxpool.Pool, os.FileInfo, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	info, err := file.Stat() // of the file that is read, whatever its name leads to meanwhile
	if err != nil {
		return nil, nil, err
	}
	var login Login
	if err := json.NewDecoder(file).Decode(&login); err != nil {
		return nil, info, err
	}
	pem, err := os.ReadFile(authorities)
	if err != nil {
		return nil, info, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	config, err := pgxpool.ParseConfig("sslmode=verify-full")
	if err != nil {
		return nil, info, err
	}
	at := config.ConnConfig // nothing is put into a URL, so nothing needs quoting
	at.Host, at.Port, at.Database = login.Host, login.Port, login.Dbname
	at.User, at.Password, at.Fallbacks = login.Username, login.Password, nil
	at.TLSConfig = &tls.Config{RootCAs: roots, ServerName: login.Host}
	config.MaxConnLifetime = 25 * time.Minute
	pool, err := pgxpool.NewWithConfig(ctx, config)
	return pool, info, err
}

// Watch looks once a second. A renamed file is another file: os.SameFile tells them apart, also
// where both were written within one tick of the clock. Watching the file itself by inotify ends
// with the first rename; watch its folder, if you prefer events.
func watch(ctx context.Context, path, authorities string, current *atomic.Pointer[pgxpool.Pool]) {
	var seen os.FileInfo
	for ; ctx.Err() == nil; time.Sleep(time.Second) {
		now, err := os.Stat(path)
		if err != nil || seen != nil && os.SameFile(seen, now) && seen.ModTime().Equal(now.ModTime()) {
			continue
		}
		pool, info, err := open(ctx, path, authorities)
		if err != nil {
			log.Printf("%s: %v; the login before stays", path, err)
			continue
		}
		seen = info
		if before := current.Swap(pool); before != nil {
			// work that has just taken it may still begin; the old login is valid meanwhile
			time.AfterFunc(10*time.Second, before.Close)
		}
	}
}

func count(ctx context.Context, pool *pgxpool.Pool) (user string, orders int, err error) {
	const query = "SELECT current_user, count(*) FROM public.orders"
	err = pool.QueryRow(ctx, query).Scan(&user, &orders)
	return user, orders, err
}

func main() {
	ctx := context.Background()
	var current atomic.Pointer[pgxpool.Pool]
	go watch(ctx, os.Args[1], os.Args[2], &current)
	for ; ; time.Sleep(time.Second) {
		pool := current.Load()
		if pool == nil {
			continue // the agent has not written its first login yet
		}
		if user, orders, err := count(ctx, pool); err != nil {
			fmt.Println("failed", err)
		} else {
			fmt.Println(user, orders)
		}
	}
}
