package main

import (
	"mayfly.invalid/clients/internal/orders"
	"mayfly.invalid/clients/internal/report"
)

func main() {
	pool, err := orders.OpenSQL()
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	report.Run(func() (user string, err error) {
		err = pool.QueryRow("select current_user from orders").Scan(&user)
		return user, err
	})
}
