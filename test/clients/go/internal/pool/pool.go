// Package pool is a pool of pgx that asks for user and password whenever it makes a connection.
package pool

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"mayfly.invalid/clients/internal/report"
)

// Login is what a secret of a database has in it.
type Login struct {
	Username, Password string
}

// ParseSecret reads a secret's text.
func ParseSecret(text string) (login Login, err error) {
	err = json.Unmarshal([]byte(text), &login)
	return login, err
}

// New makes a pool to where the environment says.
func New(login func(context.Context) (Login, error)) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(report.Workers())
	config.MaxConnLifetime = report.Seconds("LIFETIME_SECONDS")
	config.BeforeConnect = func(ctx context.Context, connection *pgx.ConnConfig) error {
		next, err := login(ctx)
		connection.User, connection.Password = next.Username, next.Password
		return err
	}
	return pgxpool.NewWithConfig(context.Background(), config)
}

// User runs a statement and answers with the user that ran it. It waits while the server refuses a
// login that ended before the next one was read: no statement was sent then.
func User(pool *pgxpool.Pool) (user string, err error) {
	query := "select current_user from orders where id > $1"
	for {
		err = pool.QueryRow(context.Background(), query, 0).Scan(&user)
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != "28P01" && refused.Code != "28000" {
			return user, err
		}
		time.Sleep(250 * time.Millisecond)
	}
}
