package newleaf

import (
	"context"
	"time"
)

// Device is all that a front door - web UI, REST API, command line, operation
// panel, fleet - knows of a device. The agent implements it, and so does the API
// client, so every command works for a near and a far device. Errors are *Error.
// Names may be given where a reference is asked: a name, an ID or the first
// eight or more digits of one.
type Device interface {
	Inspector
	Certificates
	Anchors
	Connections
	Updates
	Policies
	Journal
	Tokens
}

// Inspector tells how the device is.
type Inspector interface {
	Status(ctx context.Context) (Status, error)
	// Doctor walks through what could go wrong without changing anything.
	Doctor(ctx context.Context) ([]Finding, error)
	// Restart asks the supervisor or the configured command for a restart (F9-*).
	Restart(ctx context.Context) error
}

// Certificates are the entries of the store.
type Certificates interface {
	List(ctx context.Context) ([]Listed, error)
	Certificate(ctx context.Context, ref string) (Detail, error)
	// Generate makes a key pair and a self-signed certificate (VAR-13).
	Generate(ctx context.Context, g Generation) (Listed, error)
	Import(ctx context.Context, i Import) (Listed, error)
	Export(ctx context.Context, ref string, format Format, passphrase string) ([]byte, error)
	// Delete removes a certificate by hand; one in use only with force (DLS-37).
	Delete(ctx context.Context, ref string, force bool) error
	Pin(ctx context.Context, ref string, pinned bool) (Listed, error)
	// SetPurposes gives the purposes to ref, taking them from their holders, and
	// takes all others from it (PUR-08).
	SetPurposes(ctx context.Context, ref string, purposes []Purpose) (Listed, error)
	// SetRequest replaces the template of the next update.
	SetRequest(ctx context.Context, ref string, r Request) (Request, error)
}

// Anchors are the authority's certificates the device trusts.
type Anchors interface {
	// FetchAnchors gets them from the authority. With a thumbprint (SHA-1 or
	// SHA-256) that matches the anchor they are confirmed at once (F7-G6).
	FetchAnchors(ctx context.Context, connection, thumbprint string) ([]AnchorInfo, error)
	ConfirmAnchors(ctx context.Context, connection string) ([]AnchorInfo, error)
	AnchorList(ctx context.Context) ([]AnchorInfo, error)
	AddAnchor(ctx context.Context, connection string, pem []byte) ([]AnchorInfo, error)
	RemoveAnchor(ctx context.Context, id ID) error
}

// Connections say how authorities are reached.
type Connections interface {
	ConnectionList(ctx context.Context) ([]ConnectionInfo, error)
	SetConnection(ctx context.Context, c Connection) (ConnectionInfo, error)
	RemoveConnection(ctx context.Context, name string) error
	TestConnection(ctx context.Context, name string) (ConnectionTest, error)
}

// Updates are renewals: first issuances and updates.
type Updates interface {
	// Issue starts a first issuance and returns at once; follow it with Watch.
	Issue(ctx context.Context, i Issue) (Renewal, error)
	// Update starts an update of the given certificates, or of all in use that
	// can be updated; dryRun only tells which.
	Update(ctx context.Context, refs []string, dryRun bool) ([]Planned, []Renewal, error)
	Renewals(ctx context.Context) ([]Renewal, error)
	Renewal(ctx context.Context, id int64) (Renewal, error)
	CancelRenewal(ctx context.Context, id int64) (Renewal, error)
	RetryRenewal(ctx context.Context, id int64) (Renewal, error)
	// Watch calls step for each change until the renewal is no longer open, waits
	// for a person, or ctx ends. It returns the renewal as it then is.
	Watch(ctx context.Context, id int64, step func(Progress)) (Renewal, error)
}

// Policies are reservation, deletion and general settings.
type Policies interface {
	Reservation(ctx context.Context) (ReservationInfo, error)
	SetReservation(ctx context.Context, r Reservation) (ReservationInfo, error)
	PlanReservation(ctx context.Context, q ForecastQuery) ([]Planned, error)
	Deletion(ctx context.Context) (DeletionInfo, error)
	SetDeletion(ctx context.Context, p DeletionPolicy) (DeletionInfo, error)
	// PlanDeletion is the preview: the verdicts as if a new certificate with
	// these purposes had just been proven, under unsaved settings p, nil for the
	// saved ones.
	PlanDeletion(ctx context.Context, purposes []Purpose, p *DeletionPolicy) ([]Verdict, error)
	Settings(ctx context.Context) (Settings, error)
	SetSettings(ctx context.Context, s Settings) (Settings, error)
}

// Journal is what happened.
type Journal interface {
	// Events returns those after the ID since, oldest first, at most limit.
	Events(ctx context.Context, since int64, limit int) ([]Event, error)
	// Follow calls each for the events after since and then for new ones, until
	// ctx ends or each fails.
	Follow(ctx context.Context, since int64, each func(Event) error) error
}

// Tokens let programs use the API over the network.
type Tokens interface {
	// CreateToken returns the secret once; only its hash is kept.
	CreateToken(ctx context.Context, t NewToken) (Token, string, error)
	TokenList(ctx context.Context) ([]Token, error)
	RevokeToken(ctx context.Context, id string) error
}

// Role of whoever asks.
type AccessRole string

const (
	Administrator AccessRole = "administrator" // may change everything
	Viewer        AccessRole = "viewer"        // may look
)

// Actor is who asks; it stands in every event.
type Actor struct {
	Name  string // "root", "uid:1000", "token:ci", "reservation"
	Role  AccessRole
	Local bool // over the socket: may manage tokens
}

type actorKey struct{}

// WithActor returns a context in which a asks.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf returns who asks; nobody in particular is the agent itself.
func ActorOf(ctx context.Context) Actor {
	if a, ok := ctx.Value(actorKey{}).(Actor); ok {
		return a
	}
	return Actor{Name: "agent", Role: Administrator, Local: true}
}

// Progress is one line of a live display.
type Progress struct {
	Renewal int64     `json:"renewal"`
	At      time.Time `json:"at"`
	Step    Step      `json:"step"`
	Number  int       `json:"number"` // 1 to 7
	OK      bool      `json:"ok"`
	Text    string    `json:"text"`
}
