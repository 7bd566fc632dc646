package db

import (
	"context"
	"database/sql"
	"slices"
)

// maxBatch bounds what one commit holds in memory.
const maxBatch = 256

// job is one submitted change on its way through the committer.
type job struct {
	f        func(*sql.Tx) error
	err      error
	panicked any
	done     chan struct{}
}

// Submit is Write for many callers at once: changes that arrive together share
// one transaction and one sync. It returns when the change is durable or has
// failed. A failing f undoes its own change only; if the commit fails, it fails
// for all. f runs on another goroutine and may run again when a neighbor's
// failure ended the transaction. ctx bounds the wait for a place in the queue.
func (d *DB) Submit(ctx context.Context, f func(*sql.Tx) error) error {
	j := &job{f: f, done: make(chan struct{})}
	if err := d.enter(func() error { return d.enqueue(ctx, j) }); err != nil {
		return err
	}
	<-j.done
	if j.panicked != nil {
		panic(j.panicked)
	}
	return d.name(j.err)
}

func (d *DB) enqueue(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case d.jobs <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// committer stores the jobs until the queue is closed and empty.
func (d *DB) committer() {
	defer close(d.done)
	for j := range d.jobs {
		d.store(j)
	}
}

// store commits first together with all that wait.
func (d *DB) store(first *job) {
	batch := []*job{first}
	for {
		var breaker *job
		err := d.transact(context.Background(), func(tx *sql.Tx) error {
			for i := 0; i < len(batch); i++ {
				if err := batch[i].run(tx); err != nil {
					breaker = batch[i]
					return err
				}
				if i == len(batch)-1 {
					batch = d.gather(batch)
				}
			}
			return nil
		}, commit)
		if breaker == nil {
			for _, j := range batch {
				j.finish(err)
			}
			return
		}
		// The transaction is gone with the breaker; the others try again without it.
		breaker.finish(err)
		batch = slices.DeleteFunc(batch, func(j *job) bool { return j == breaker })
		if len(batch) == 0 {
			return
		}
	}
}

// gather adds the jobs that have arrived meanwhile.
func (d *DB) gather(batch []*job) []*job {
	for len(batch) < maxBatch {
		select {
		case j, open := <-d.jobs:
			if !open {
				return batch
			}
			batch = append(batch, j)
		default:
			return batch
		}
	}
	return batch
}

// run does the job in a savepoint and keeps its error in the job. The error it
// returns says that the whole transaction is lost.
func (j *job) run(tx *sql.Tx) error {
	if _, err := tx.Exec(`SAVEPOINT job`); err != nil {
		return err
	}
	j.call(tx)
	end := `RELEASE job`
	if j.err != nil || j.panicked != nil {
		end = `ROLLBACK TO job; RELEASE job`
	}
	_, err := tx.Exec(end)
	return err
}

func (j *job) call(tx *sql.Tx) {
	defer func() { j.panicked = recover() }()
	j.err = j.f(tx)
}

// finish hands the job back; err counts where the job has no failure of its own.
func (j *job) finish(err error) {
	if j.err == nil {
		j.err = err
	}
	close(j.done)
}
