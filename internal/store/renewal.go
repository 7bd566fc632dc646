package store

import (
	"fmt"

	"newleaf"
)

// keptRenewals is how many renewals that have ended stay in the list.
const keptRenewals = 200

// Renewals lists the open ones, or all, newest last. One that cannot be read
// counts as failed with CodeDamaged: it is shown and never resumed. Putting it
// as it is given ends it for good.
func (tx *Tx) Renewals(open bool) ([]newleaf.Renewal, error) {
	if !open {
		return list(tx, "reading the renewals", readRenewal, `SELECT id, body FROM renewals ORDER BY id`)
	}
	all, err := list(tx, "reading the renewals", readRenewal, `SELECT id, body FROM renewals WHERE ended = 0 ORDER BY id`)
	if err != nil {
		return all, err
	}
	still := []newleaf.Renewal{}
	for _, r := range all {
		if r.Phase.Open() {
			still = append(still, r)
		}
	}
	return still, nil
}

// Unsuccessful lists those that are open, failed or cancelled: all that can bear
// on what is to be done next. There are few, where Renewals are up to 200.
func (tx *Tx) Unsuccessful() ([]newleaf.Renewal, error) {
	return list(tx, "reading the renewals", readRenewal, `SELECT id, body FROM renewals WHERE NOT done ORDER BY id`)
}

// Renewal returns the one with that ID, or CodeNotFound.
func (tx *Tx) Renewal(id int64) (newleaf.Renewal, error) {
	r, found, err := first(tx, "reading a renewal", readRenewal, `SELECT id, body FROM renewals WHERE id = ?`, id)
	if err == nil && !found {
		return r, missing("renewal", fmt.Sprint(id))
	}
	return r, err
}

// PutRenewal stores r and returns it. With ID 0 it is a new one and gets its ID,
// else it must exist. Of those that have ended the last 200 stay.
func (tx *Tx) PutRenewal(r newleaf.Renewal) (newleaf.Renewal, error) {
	const doing = "storing a renewal"
	if r.ID == 0 {
		if err := tx.put(doing, `INSERT INTO renewals (ended, body) VALUES (0, '')`); err != nil {
			return r, err
		}
		id, _, err := first(tx, doing, value[int64], `SELECT last_insert_rowid()`)
		if err != nil {
			return r, err
		}
		r.ID = id
	}
	n, err := tx.exec(doing, `UPDATE renewals SET body = ?, done = ?, ended = CASE
			WHEN ? THEN 0
			WHEN ended > 0 THEN ended
			ELSE 1 + (SELECT max(ended) FROM renewals) END
		WHERE id = ?`, encoded{r}, r.Phase == newleaf.PhaseDone, r.Phase.Open(), r.ID)
	switch {
	case err != nil:
		return r, err
	case n == 0:
		return r, missing("renewal", fmt.Sprint(r.ID))
	}
	return r, tx.put("forgetting old renewals", `DELETE FROM renewals WHERE ended > 0 AND ended <=
		(SELECT ended FROM renewals ORDER BY ended DESC LIMIT 1 OFFSET ?)`, keptRenewals)
}

func readRenewal(r row) (one newleaf.Renewal) {
	var id int64
	if !r.read(&id, encoded{&one}) {
		one = newleaf.Renewal{Phase: newleaf.PhaseFailed,
			Error: newleaf.Errorf(newleaf.CodeDamaged, "the record of the renewal cannot be read")}
	}
	one.ID = id
	return one
}
