package main

import (
	"context"
	"fmt"
	"time"

	"newleaf/bench/internal/measure"
)

// idle is an agent that is left alone.
type idle struct {
	agent *server
	at    time.Time
	then  measure.Sample
	awake chan int // sent once: the seconds in which a thread of it ran
	stop  chan struct{}
}

// settle is left to the agent after its start before it counts as at rest.
const settle = 15 * time.Second

// restFrom starts an agent that restTo looks at after everything else.
func (b *bench) restFrom(ctx context.Context) error {
	dir, err := b.fill(ctx, "rest")
	if err != nil {
		return err
	}
	i := idle{awake: make(chan int, 1), stop: make(chan struct{})}
	if i.agent, err = b.agent(ctx, dir); err != nil {
		return err
	}
	time.Sleep(settle)
	i.at = time.Now()
	if i.then, err = measure.Read(i.agent.pid()); err != nil {
		return err
	}
	go i.watch()
	b.idle = i
	return nil
}

// watch counts the seconds in which the agent did not sleep throughout: its
// wake-ups, as what follows one at once belongs to it.
func (i idle) watch() {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	n, last := 0, i.then.Waits
	for {
		select {
		case <-i.stop:
			i.awake <- n
			return
		case <-second.C:
		}
		if s, err := measure.Read(i.agent.pid()); err == nil && s.Waits != last {
			n, last = n+1, s.Waits
		}
	}
}

// restTo reads what the agent did since restFrom.
func (b *bench) restTo(context.Context) error {
	i := b.idle
	defer i.agent.stop()
	if least := 3 * time.Minute; !b.short && time.Since(i.at) < least {
		time.Sleep(least - time.Since(i.at))
	}
	s, err := measure.Read(i.agent.pid())
	if err != nil {
		return err
	}
	close(i.stop)
	span := time.Since(i.at)
	day := float64(24*time.Hour) / float64(span)
	b.most(groupRest, "anonymous memory at rest", "MiB", one(float64(s.AnonKiB)/1024), 8)
	b.most(groupRest, fmt.Sprintf("wake-ups at rest, over %.0f s", span.Seconds()), "per second", one(float64(<-i.awake)/span.Seconds()), .1)
	b.told(groupRest, "waits of all its threads in them", "per second", one(float64(s.Waits-i.then.Waits)/span.Seconds()))
	b.most(groupRest, "written to the disk at rest, extrapolated", "kB per day", one(float64(s.Written-i.then.Written)*day/1e3), 64)
	b.told(groupRest, "processor time at rest", "ms per minute", one(measure.MS(s.CPU-i.then.CPU)/span.Minutes()))
	b.told(groupRest, "written from the start until at rest", "kB", one(float64(i.then.Written)/1e3))
	return nil
}
