package newleaf

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DefaultConnection is the name commands use when none is given.
const DefaultConnection = "default"

// Protocol is how an authority is spoken to (CON-09).
type Protocol string

const (
	SCEP Protocol = "scep"
	EST  Protocol = "est"
	CMP  Protocol = "cmp"
)

// Weak names an algorithm that is refused unless a connection allows it. 3des
// may then be sent and read, des read only, sha1 only verified on answers.
type Weak string

const (
	Weak3DES Weak = "3des"
	WeakDES  Weak = "des"
	WeakSHA1 Weak = "sha1"
)

// Connection says how an authority is reached (Fig. 10B and CON-*). Each
// request names its connection.
type Connection struct {
	Name         string        `json:"name"`
	URL          string        `json:"url"`  // host name, or URL with scheme and path (AMB-44)
	Port         int           `json:"port"` // 0: from the URL, else the scheme's own
	Protocol     Protocol      `json:"protocol"`
	CAID         string        `json:"caId"`  // "message" of GetCACert (CON-10)
	RAURL        string        `json:"raUrl"` // where requests go when not to URL (CON-11)
	Proxy        string        `json:"proxy"`
	Timeout      time.Duration `json:"timeout"` // of one exchange, connect to last byte (CON-12)
	Weak         []Weak        `json:"weak"`
	KeepPassword bool          `json:"keepPassword"` // this authority wants the password for every update
}

// NewConnection has the defaults.
func NewConnection(name string) Connection {
	return Connection{Name: name, Protocol: SCEP, Timeout: 30 * time.Second, Weak: []Weak{}}
}

// Allows reports whether weak algorithm w may be used as [Weak] says.
func (c Connection) Allows(w Weak) bool { return slices.Contains(c.Weak, w) }

// Validate checks the fields; old values stay in force when it fails (CON-06).
func (c Connection) Validate() error {
	if err := ValidName(c.Name); err != nil {
		return err
	}
	if _, err := c.Endpoint(); err != nil {
		return err
	}
	if _, err := c.Enrollment(); err != nil {
		return err
	}
	if c.Proxy != "" {
		if u, err := url.Parse(c.Proxy); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
			return Errorf(CodeInvalid, "the proxy is not an http or https URL without name and password")
		}
	}
	if c.Timeout < time.Second || c.Timeout > 10*time.Minute {
		return Errorf(CodeInvalid, "the timeout %s is not between 1s and 10m", c.Timeout)
	}
	if c.Protocol != SCEP {
		return Errorf(CodeInvalid, "the protocol %q is not supported by this version", c.Protocol).WithHint("Use scep.")
	}
	for _, w := range c.Weak {
		if w != Weak3DES && w != WeakDES && w != WeakSHA1 {
			return Errorf(CodeInvalid, "there is no weak algorithm %q", w).WithHint("Use 3des, des or sha1.")
		}
	}
	return nil
}

// Endpoint is the full URL the CA certificate comes from (CON-02, CON-03, CON-07).
func (c Connection) Endpoint() (string, error) { return endpoint(c.URL, c.Port) }

// Enrollment is the full URL requests are sent to: RAURL, else Endpoint.
func (c Connection) Enrollment() (string, error) {
	if c.RAURL == "" {
		return c.Endpoint()
	}
	return endpoint(c.RAURL, 0)
}

// pkiclient is the path a bare host name stands for (RFC 8894, 4.1).
const pkiclient = "/cgi-bin/pkiclient.exe"

func endpoint(address string, port int) (string, error) {
	address = strings.TrimSpace(address)
	if address == "" {
		return "", Errorf(CodeNoConnection, "the server name is empty")
	}
	if port < 0 || port > 65535 {
		return "", Errorf(CodeInvalid, "the port number %d is not between 1 and 65535", port)
	}
	bare := !strings.Contains(address, "://")
	if bare {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !validHost(u.Hostname()) || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", Errorf(CodeInvalid, "the server name %q is neither a host name nor an http or https URL", address)
	}
	u.Host = strings.TrimSuffix(u.Host, ":") // an empty port is none
	if own := u.Port(); own != "" {
		if n, err := strconv.Atoi(own); err != nil || n < 1 || n > 65535 {
			return "", Errorf(CodeInvalid, "the port number %s is not between 1 and 65535", own)
		}
		if port != 0 && own != strconv.Itoa(port) {
			return "", Errorf(CodeInvalid, "the URL says port %s, the port number field says %d", own, port).
				WithHint("Give the port in one of the two places.")
		}
	} else if port != 0 {
		u.Host += ":" + strconv.Itoa(port)
	}
	if u.Path == "" || u.Path == "/" && bare {
		u.Path = pkiclient
	}
	return u.String(), nil
}

func validHost(h string) bool {
	if _, err := netip.ParseAddr(h); err == nil {
		return true
	}
	return h != "" && len(h) <= 253 && !strings.ContainsFunc(h, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._", r)
	})
}

// Role says what an authority's certificate is to us.
type Role string

const (
	RoleAnchor Role = "anchor" // the one trust is pinned to, once confirmed
	RoleChain  Role = "chain"  // another CA certificate of the same answer
	RoleRA     Role = "ra"     // receives envelopes or signs answers for the CA (F7-G5)
)

// Anchor is a certificate of an authority (DM-37). It has a table of its own
// and is never judged by the deletion policy (DLS-06).
type Anchor struct {
	ID         ID
	DER        []byte
	Connection string // acquired through; "" when added by hand
	Role       Role
	Confirmed  bool // by a person or a thumbprint; nothing is sent before that
	Added      time.Time
	Source     string // URL, file or "provision"
	Parsed
}
