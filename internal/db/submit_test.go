package db_test

import (
	"database/sql"
	"errors"
	"testing"
	"testing/synctest"

	"newleaf/internal/db"
)

// together submits all changes while the store is busy, so that they form one
// batch, and gives back their errors.
func together(t *testing.T, d *db.DB, during func(), changes ...func(*sql.Tx) error) []error {
	t.Helper()
	busy, errs := make(chan struct{}), make([]error, len(changes))
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		if err := d.Write(t.Context(), func(*sql.Tx) error { <-busy; return nil }); err != nil {
			t.Error(err)
		}
	}()
	synctest.Wait()
	results := make(chan func(), len(changes))
	for i, f := range changes {
		go func() {
			var err error
			defer func() { results <- func() { errs[i] = err } }()
			defer func() {
				if p := recover(); p != nil {
					err = p.(error)
				}
			}()
			err = d.Submit(t.Context(), f)
		}()
		synctest.Wait() // in this order
	}
	go during() // no Wait: Close blocks on a mutex, which synctest does not count
	close(busy)
	for range changes {
		(<-results)()
	}
	<-finished
	return errs
}

func TestSubmitSharesOneTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, temp(t))
		seen := make(map[*sql.Tx]int)
		var changes []func(*sql.Tx) error
		for id := range 50 {
			changes = append(changes, func(tx *sql.Tx) error {
				seen[tx]++
				return insert(id, "a")(tx)
			})
		}
		for i, err := range together(t, d, func() {}, changes...) {
			if err != nil {
				t.Errorf("change %d: %v", i, err)
			}
		}
		if len(seen) != 1 || len(ids(t, d)) != 50 {
			t.Errorf("%d transactions, %d rows; want 1 and 50", len(seen), len(ids(t, d)))
		}
	})
}

func TestSubmitFailsAlone(t *testing.T) {
	failure := errors.New("second thoughts")
	insertThen := func(end func(*sql.Tx) error) func(*sql.Tx) error {
		return func(tx *sql.Tx) error {
			if err := insert(2, "bad")(tx); err != nil {
				return err
			}
			return end(tx)
		}
	}
	for name, bad := range map[string]func(*sql.Tx) error{
		"error": insertThen(func(*sql.Tx) error { return failure }),
		"panic": insertThen(func(*sql.Tx) error { panic(failure) }),
		"transaction ended inside": insertThen(func(tx *sql.Tx) error {
			_, err := tx.Exec(`ROLLBACK`)
			return errors.Join(err, failure)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := open(t, temp(t))
				errs := together(t, d, func() {}, insert(1, "a"), bad, insert(3, "c"), bad, insert(5, "e"))
				for i, want := range []error{nil, failure, nil, failure, nil} {
					if !errors.Is(errs[i], want) {
						t.Errorf("change %d: got %v, want %v", i, errs[i], want)
					}
				}
				want(t, d, 1, 3, 5)
				if err := d.Submit(t.Context(), insert(6, "f")); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			})
		})
	}
}

func TestSubmitCommitFailsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, temp(t))
		dangling := func(tx *sql.Tx) error {
			_, err := tx.Exec(`INSERT INTO vein VALUES (99)`)
			return err
		}
		for i, err := range together(t, d, func() {}, insert(1, "a"), dangling, insert(3, "c")) {
			if err == nil {
				t.Errorf("change %d was acknowledged", i)
			}
		}
		want(t, d)
	})
}

func TestCloseStoresWhatWasSubmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := temp(t)
		d := open(t, path)
		closed := make(chan error, 1)
		errs := together(t, d, func() { closed <- d.Close() }, insert(1, "a"), insert(2, "b"), insert(3, "c"))
		if err := errors.Join(append(errs, <-closed)...); err != nil {
			t.Fatal(err)
		}
		want(t, open(t, path), 1, 2, 3)
	})
}
