package store

import (
	"slices"
	"sync"

	"newleaf"
)

// parses remembers what newleaf.Parse read, as that verifies a signature. The
// caller knows that the DER is that of the ID.
type parses struct {
	mu  sync.Mutex
	all map[newleaf.ID]newleaf.Parsed
}

func (c *parses) parse(id newleaf.ID, der []byte) (newleaf.Parsed, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.all[id]
	if !ok {
		var err error
		if p, err = newleaf.Parse(der); err != nil {
			return p, err
		}
		if c.all == nil {
			c.all = map[newleaf.ID]newleaf.Parsed{}
		}
		c.all[id] = p
	}
	p.SAN, p.EKU = slices.Clone(p.SAN), slices.Clone(p.EKU)
	return p, nil
}

// keep forgets all but ids, those of the rows there are.
func (c *parses) keep(ids []newleaf.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := make(map[newleaf.ID]newleaf.Parsed, len(ids))
	for _, id := range ids {
		if p, ok := c.all[id]; ok {
			left[id] = p
		}
	}
	c.all = left
}
