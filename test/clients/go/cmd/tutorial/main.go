// A program as tutorials have it: it reads a file, splits it at the ends of lines, cuts two
// prefixes off, and puts the URL together by hand. It knows nothing of leases.
package main

import (
	"database/sql"
	"fmt"
	"os"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib"
	"mayfly.invalid/clients/internal/report"
)

func connect() (*sql.DB, error) {
	content, err := os.ReadFile(os.Getenv("CREDENTIALS_FILE"))
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(content), "\n")
	if len(lines) < 2 {
		return nil, fmt.Errorf("%d lines", len(lines))
	}
	username := strings.TrimPrefix(lines[0], "DB_USERNAME=")
	password := strings.TrimPrefix(lines[1], "DB_PASSWORD=")
	return sql.Open("pgx", fmt.Sprintf("postgres://%s:%s@%s:%s/%s",
		username, password, os.Getenv("PGHOST"), os.Getenv("PGPORT"), os.Getenv("PGDATABASE")))
}

func main() {
	report.Run(func() (user string, err error) {
		db, err := connect()
		if err != nil {
			return "", err
		}
		defer db.Close()
		err = db.QueryRow("select current_user from orders where id > $1", 0).Scan(&user)
		return user, err
	})
}
