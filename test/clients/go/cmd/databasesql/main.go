// The pool of database/sql, with pgx as its driver.
package main

import (
	"database/sql"
	"os"

	_ "github.com/jackc/pgx/v5/stdlib"
	"mayfly.invalid/clients/internal/report"
)

func main() {
	pool, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	pool.SetMaxOpenConns(report.Workers())
	pool.SetMaxIdleConns(report.Workers())
	pool.SetConnMaxLifetime(report.Seconds("LIFETIME_SECONDS"))
	report.Run(func() (user string, err error) {
		err = pool.QueryRow("select current_user from orders where id > $1", 0).Scan(&user)
		return user, err
	})
}
