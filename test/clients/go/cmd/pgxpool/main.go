// The pool of pgx.
package main

import (
	"context"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"
	"mayfly.invalid/clients/internal/report"
)

func main() {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		panic(err)
	}
	config.MaxConns = int32(report.Workers())
	if lifetime := report.Seconds("LIFETIME_SECONDS"); lifetime > 0 {
		config.MaxConnLifetime = lifetime
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	report.Run(func() (user string, err error) {
		query := "select current_user from orders where id > $1"
		err = pool.QueryRow(context.Background(), query, 0).Scan(&user)
		return user, err
	})
}
