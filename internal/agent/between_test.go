package agent_test

import (
	"context"
	"sync/atomic"

	"newleaf"
	"newleaf/internal/enroll"
)

// between stands between the device and its authority.
type between struct {
	enroll.Client
	look func(context.Context) error // before the capabilities are asked for
	send func(ctx context.Context, r enroll.Request, on func() (enroll.Answer, error)) (enroll.Answer, error)
}

func (b between) Capabilities(ctx context.Context) (enroll.Capabilities, error) {
	if b.look != nil {
		if err := b.look(ctx); err != nil {
			return enroll.Capabilities{}, err
		}
	}
	return b.Client.Capabilities(ctx)
}

func (b between) Send(ctx context.Context, r enroll.Request) (enroll.Answer, error) {
	on := func() (enroll.Answer, error) { return b.Client.Send(ctx, r) }
	if b.send == nil {
		return on()
	}
	return b.send(ctx, r, on)
}

// intercept lets all that is asked go through b.
func (d *device) intercept(b between) {
	d.dial = func(c newleaf.Connection) (client enroll.Client, err error) {
		b.Client, err = d.authority.Dial(c)
		return b, err
	}
}

// hang makes an authority that keeps everybody waiting as soon as the switch is
// on, until who asks has been told to stop.
func (d *device) hang() *atomic.Bool {
	on := new(atomic.Bool)
	wait := func(ctx context.Context) error {
		if on.Load() {
			<-ctx.Done()
		}
		return ctx.Err()
	}
	d.intercept(between{look: wait, send: func(ctx context.Context, _ enroll.Request, send func() (enroll.Answer, error)) (enroll.Answer, error) {
		if err := wait(ctx); err != nil {
			return enroll.Answer{}, err
		}
		return send()
	}})
	return on
}

// overhear notes what is sent.
func (d *device) overhear() *[]enroll.Request {
	sent := new([]enroll.Request)
	d.intercept(between{send: func(_ context.Context, r enroll.Request, on func() (enroll.Answer, error)) (enroll.Answer, error) {
		*sent = append(*sent, r)
		return on()
	}})
	return sent
}
