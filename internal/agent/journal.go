package agent

import (
	"context"

	"newleaf"
	"newleaf/internal/store"
)

// Events returns events after since, oldest first.
func (a *Agent) Events(ctx context.Context, since int64, limit int) (out []newleaf.Event, err error) {
	if limit < 1 || limit > 10000 {
		limit = 10000
	}
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		out, err = tx.Events(since, limit)
		return err
	})
	return out, err
}

// Follow calls each for every event after since, old and new, until ctx ends.
func (a *Agent) Follow(ctx context.Context, since int64, each func(newleaf.Event) error) error {
	changed, stop := a.Store.Watch()
	defer stop()
	for {
		batch, err := a.Events(ctx, since, 500)
		if err != nil {
			return err
		}
		for _, e := range batch {
			since = e.ID
			if err := each(e); err != nil {
				return err
			}
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}
