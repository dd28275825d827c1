package main

import (
	"context"

	"mayfly.invalid/clients/internal/orders"
	"mayfly.invalid/clients/internal/report"
)

func main() {
	ctx := context.Background()
	pool, err := orders.Open(ctx)
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	report.Run(func() (user string, err error) {
		err = orders.Retried(func() error {
			return pool.QueryRow(ctx, "select current_user from orders").Scan(&user)
		})
		return user, err
	})
}
