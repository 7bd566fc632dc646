package agent

import (
	"context"
	"time"
)

// Tick makes the agent do what is due now.
func (a *Agent) Tick(ctx context.Context) (time.Time, error) { return a.tick(ctx) }
