// Package report is what every client program does around its driver: keep time, count, and say
// what failed.
package report

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

var (
	mutex      sync.Mutex
	statements int
	users      []string
)

// Seconds reads a length from the environment.
func Seconds(name string) time.Duration {
	seconds, err := strconv.ParseFloat(os.Getenv(name), 64)
	if err != nil {
		panic(err)
	}
	return time.Duration(seconds * float64(time.Second))
}

// Workers is how many connections a pool has.
func Workers() int {
	workers, err := strconv.Atoi(os.Getenv("WORKERS"))
	if err != nil {
		panic(err)
	}
	return workers
}

func goesOn() bool {
	_, err := os.Stat(os.Getenv("END_FILE"))
	return err != nil
}

func did(user string) {
	mutex.Lock()
	defer mutex.Unlock()
	if statements == 0 {
		fmt.Println("ready")
	}
	statements++
	if !slices.Contains(users, user) {
		users = append(users, user)
		fmt.Printf("user %s\n", user)
	}
}

// Failed tells of work that failed.
func Failed(err error) {
	mutex.Lock()
	defer mutex.Unlock()
	fmt.Printf("failed %s\n", strings.ReplaceAll(err.Error(), "\n", " "))
}

// Run repeats work in goroutines until the end.
func Run(work func() (string, error)) {
	var group sync.WaitGroup
	shortest, longest := Seconds("MIN_PAUSE_SECONDS"), Seconds("MAX_PAUSE_SECONDS")
	for range Workers() {
		group.Go(func() {
			for goesOn() {
				if user, err := work(); err != nil {
					Failed(err)
				} else {
					did(user)
				}
				time.Sleep(shortest + time.Duration(rand.Int64N(int64(longest-shortest))))
			}
		})
	}
	group.Wait()
	fmt.Printf("done %d %s\n", statements, strings.Join(users, ","))
}
