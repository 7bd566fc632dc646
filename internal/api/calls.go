package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"newleaf"
)

// The calls are in the order of newleaf.Device. Where the API's form of an
// answer differs from the root's, it is read in that form and turned back.

func (c *Client) get(ctx context.Context, path string, out any) error {
	return c.call(ctx, http.MethodGet, path, nil, out)
}

func (c *Client) put(ctx context.Context, path string, in, out any) error {
	return c.call(ctx, http.MethodPut, path, in, out)
}

func (c *Client) post(ctx context.Context, path string, in, out any) error {
	return c.call(ctx, http.MethodPost, path, in, out)
}

func (c *Client) delete(ctx context.Context, path string) error {
	return c.call(ctx, http.MethodDelete, path, nil, nil)
}

// Status is of [newleaf.Inspector], as the two that follow.
func (c *Client) Status(ctx context.Context) (newleaf.Status, error) {
	var out status
	err := c.get(ctx, "/status", &out)
	return out.root(), err
}

func (c *Client) Doctor(ctx context.Context) (out []newleaf.Finding, err error) {
	err = c.get(ctx, "/doctor", &out)
	return out, err
}

func (c *Client) Restart(ctx context.Context) error { return c.post(ctx, "/restart", nil, nil) }

// List is of [newleaf.Certificates], as those that follow.
func (c *Client) List(ctx context.Context) (out []newleaf.Listed, err error) {
	err = c.get(ctx, "/certificates", &out)
	return out, err
}

func (c *Client) Certificate(ctx context.Context, ref string) (out newleaf.Detail, err error) {
	err = c.get(ctx, certificatePath(ref, ""), &out)
	return out, err
}

func (c *Client) Generate(ctx context.Context, g newleaf.Generation) (out newleaf.Listed, err error) {
	err = c.post(ctx, "/certificates/generate", g, &out)
	return out, err
}

func (c *Client) Import(ctx context.Context, i newleaf.Import) (out newleaf.Listed, err error) {
	err = c.post(ctx, "/certificates/import", i, &out)
	return out, err
}

// Export puts a passphrase into the body, never into an address.
func (c *Client) Export(ctx context.Context, ref string, format newleaf.Format, passphrase string) (out []byte, err error) {
	path := certificatePath(ref, "/export")
	if passphrase == "" && format != newleaf.FormatPKCS12 {
		err = c.get(ctx, path+"?format="+url.QueryEscape(string(format)), &out)
		return out, err
	}
	err = c.post(ctx, path, exporting{format, passphrase}, &out)
	return out, err
}

func (c *Client) Delete(ctx context.Context, ref string, force bool) error {
	return c.delete(ctx, certificatePath(ref, "?force="+strconv.FormatBool(force)))
}

func (c *Client) Pin(ctx context.Context, ref string, pinned bool) (out newleaf.Listed, err error) {
	err = c.post(ctx, certificatePath(ref, "/pin"), pinning{pinned}, &out)
	return out, err
}

func (c *Client) SetPurposes(ctx context.Context, ref string, purposes []newleaf.Purpose) (out newleaf.Listed, err error) {
	err = c.post(ctx, certificatePath(ref, "/purposes"), assignment{purposes}, &out)
	return out, err
}

func (c *Client) SetRequest(ctx context.Context, ref string, r newleaf.Request) (out newleaf.Request, err error) {
	err = c.post(ctx, certificatePath(ref, "/request"), r, &out)
	return out, err
}

func certificatePath(ref, rest string) string { return "/certificates/" + segment(ref) + rest }

// FetchAnchors is of [newleaf.Anchors], as those that follow.
func (c *Client) FetchAnchors(ctx context.Context, connection, thumbprint string) (out []newleaf.AnchorInfo, err error) {
	err = c.post(ctx, "/anchors/fetch", fetching{connection, thumbprint}, &out)
	return out, err
}

func (c *Client) ConfirmAnchors(ctx context.Context, connection string) (out []newleaf.AnchorInfo, err error) {
	err = c.post(ctx, "/anchors/confirm", confirming{connection}, &out)
	return out, err
}

func (c *Client) AnchorList(ctx context.Context) (out []newleaf.AnchorInfo, err error) {
	err = c.get(ctx, "/anchors", &out)
	return out, err
}

func (c *Client) AddAnchor(ctx context.Context, connection string, pem []byte) (out []newleaf.AnchorInfo, err error) {
	err = c.post(ctx, "/anchors", adding{connection, pem}, &out)
	return out, err
}

func (c *Client) RemoveAnchor(ctx context.Context, id newleaf.ID) error {
	return c.delete(ctx, "/anchors/"+segment(id))
}

// ConnectionList is of [newleaf.Connections], as those that follow.
func (c *Client) ConnectionList(ctx context.Context) ([]newleaf.ConnectionInfo, error) {
	var out []connectionInfo
	if err := c.get(ctx, "/connections", &out); err != nil {
		return nil, err
	}
	return each(out, connectionInfo.root), nil
}

func (c *Client) SetConnection(ctx context.Context, conn newleaf.Connection) (newleaf.ConnectionInfo, error) {
	var out connectionInfo
	err := c.put(ctx, connectionPath(conn.Name), conn, &out)
	return out.root(), err
}

func (c *Client) RemoveConnection(ctx context.Context, name string) error {
	return c.delete(ctx, connectionPath(name))
}

func (c *Client) TestConnection(ctx context.Context, name string) (out newleaf.ConnectionTest, err error) {
	err = c.post(ctx, connectionPath(name)+"/test", nil, &out)
	return out, err
}

func connectionPath(name string) string { return "/connections/" + segment(name) }

// Issue is of [newleaf.Updates], as those that follow.
func (c *Client) Issue(ctx context.Context, i newleaf.Issue) (newleaf.Renewal, error) {
	var out renewal
	err := c.post(ctx, "/certificates/issue", i, &out)
	return out.root(), err
}

func (c *Client) Update(ctx context.Context, refs []string, dryRun bool) ([]newleaf.Planned, []newleaf.Renewal, error) {
	path := "/updates"
	if dryRun {
		path = "/updates/plan"
	}
	var out started
	if err := c.post(ctx, path, updating{refs}, &out); err != nil {
		return nil, nil, err
	}
	return out.Planned, each(out.Renewals, renewal.root), nil
}

func (c *Client) Renewals(ctx context.Context) ([]newleaf.Renewal, error) {
	var out []renewal
	if err := c.get(ctx, "/updates", &out); err != nil {
		return nil, err
	}
	return each(out, renewal.root), nil
}

func (c *Client) Renewal(ctx context.Context, id int64) (newleaf.Renewal, error) {
	var out renewal
	err := c.get(ctx, "/updates/"+decimal(id), &out)
	return out.root(), err
}

func (c *Client) CancelRenewal(ctx context.Context, id int64) (newleaf.Renewal, error) {
	var out renewal
	err := c.post(ctx, "/updates/"+decimal(id)+"/cancel", nil, &out)
	return out.root(), err
}

func (c *Client) RetryRenewal(ctx context.Context, id int64) (newleaf.Renewal, error) {
	var out renewal
	err := c.post(ctx, "/updates/"+decimal(id)+"/retry", nil, &out)
	return out.root(), err
}

// Reservation is of [newleaf.Policies], as those that follow.
func (c *Client) Reservation(ctx context.Context) (newleaf.ReservationInfo, error) {
	var out reservationInfo
	err := c.get(ctx, "/reservation", &out)
	return out.root(), err
}

func (c *Client) SetReservation(ctx context.Context, r newleaf.Reservation) (newleaf.ReservationInfo, error) {
	var out reservationInfo
	err := c.put(ctx, "/reservation", r, &out)
	return out.root(), err
}

func (c *Client) PlanReservation(ctx context.Context, q newleaf.ForecastQuery) (out []newleaf.Planned, err error) {
	err = c.post(ctx, "/reservation/plan", q, &out)
	return out, err
}

func (c *Client) Deletion(ctx context.Context) (newleaf.DeletionInfo, error) {
	var out deletionInfo
	err := c.get(ctx, "/deletion", &out)
	return out.root(), err
}

func (c *Client) SetDeletion(ctx context.Context, p newleaf.DeletionPolicy) (newleaf.DeletionInfo, error) {
	var out deletionInfo
	err := c.put(ctx, "/deletion", p, &out)
	return out.root(), err
}

func (c *Client) PlanDeletion(ctx context.Context, purposes []newleaf.Purpose, p *newleaf.DeletionPolicy) (out []newleaf.Verdict, err error) {
	q := preview{Purposes: purposes}
	if p != nil {
		unsaved := wirePolicy(*p)
		q.Unsaved = &unsaved
	}
	err = c.post(ctx, "/deletion/plan", q, &out)
	return out, err
}

func (c *Client) Settings(ctx context.Context) (out newleaf.Settings, err error) {
	err = c.get(ctx, "/settings", &out)
	return out, err
}

func (c *Client) SetSettings(ctx context.Context, s newleaf.Settings) (out newleaf.Settings, err error) {
	err = c.put(ctx, "/settings", s, &out)
	return out, err
}

// Events is of [newleaf.Journal]; Follow is with the streams.
func (c *Client) Events(ctx context.Context, since int64, limit int) (out []newleaf.Event, err error) {
	err = c.get(ctx, "/events?since="+decimal(since)+"&limit="+strconv.Itoa(limit), &out)
	return out, err
}

// CreateToken is of [newleaf.Tokens], as those that follow.
func (c *Client) CreateToken(ctx context.Context, t newleaf.NewToken) (newleaf.Token, string, error) {
	var out created
	err := c.post(ctx, "/tokens", t, &out)
	return out.Token, out.Secret, err
}

func (c *Client) TokenList(ctx context.Context) (out []newleaf.Token, err error) {
	err = c.get(ctx, "/tokens", &out)
	return out, err
}

func (c *Client) RevokeToken(ctx context.Context, id string) error {
	return c.delete(ctx, "/tokens/"+segment(id))
}
