package web

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"newleaf"
)

// Group is the group whose members may look at the device over the socket.
const Group = "newleaf"

// ListenSocket opens the unix socket at path for this user and for Group, where
// the machine has it. A socket file that an earlier process has left is
// replaced; one where somebody answers is not, nor is any other file.
func ListenSocket(path string) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeConflict, "the socket %s cannot be opened: %w", path, err).
			WithHint("Check the state folder and its permissions; the path must be shorter than 108 bytes.")
	}
	// Whoever connects before the mode is set is judged by who it is all the same.
	if gid, ok := groupID(); ok {
		// An agent that is no member cannot; then there are no viewers. They may
		// pass through the folder, not look into it.
		if dir := filepath.Dir(path); os.Chown(path, -1, gid) == nil && os.Chown(dir, -1, gid) == nil {
			_ = os.Chmod(dir, 0o710)
		}
	}
	if err := os.Chmod(path, 0o660); err != nil {
		_ = ln.Close()
		return nil, newleaf.Errorf(newleaf.CodeInternal, "setting the mode of the socket: %w", err)
	}
	return ln, nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return newleaf.Errorf(newleaf.CodeConflict, "the socket cannot be looked at: %w", err).
			WithHint("Check the state folder and its permissions.")
	}
	if info.Mode().Type() != fs.ModeSocket {
		return newleaf.Errorf(newleaf.CodeConflict, "%s is in the way: it is no socket", path).
			WithHint("Move it away, or choose another state folder.")
	}
	c, err := net.Dial("unix", path)
	switch {
	case err == nil:
		_ = c.Close()
		return newleaf.Errorf(newleaf.CodeConflict, "another agent answers at %s", path).
			WithHint("Stop it first, or choose another state folder.")
	case !errors.Is(err, syscall.ECONNREFUSED):
		return newleaf.Errorf(newleaf.CodeConflict, "it cannot be told whether another agent answers: %w", err).
			WithHint("Stop the other agent, or choose another state folder.")
	}
	if err := os.Remove(path); err != nil {
		return newleaf.Errorf(newleaf.CodeConflict, "the socket left by an earlier agent cannot be removed: %w", err)
	}
	return nil
}

// ServeSocket answers requests of local processes with h until ctx ends, as
// [Serve] does. Root and the agent's own user are administrators, members of
// Group are viewers, all others are refused (contract, "No holder of tls").
func ServeSocket(ctx context.Context, ln net.Listener, h http.Handler) error {
	self := os.Geteuid()
	return serve(ctx, ln, Secure(local(h)), func(ctx context.Context, c net.Conn) context.Context {
		actor, err := socketActor(c, self)
		return context.WithValue(ctx, callerKey{}, caller{actor, err})
	})
}

type callerKey struct{}

type caller struct {
	actor newleaf.Actor
	err   error
}

// local lets the caller of the connection in, as the actor it is.
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := r.Context().Value(callerKey{}).(caller)
		switch {
		case !ok:
			Refuse(w, newleaf.Errorf(newleaf.CodeForbidden, "it is not known who asks"))
		case c.err != nil:
			Refuse(w, c.err)
		default:
			next.ServeHTTP(w, r.WithContext(newleaf.WithActor(r.Context(), c.actor)))
		}
	})
}

func socketActor(c net.Conn, self int) (newleaf.Actor, error) {
	cred, err := peer(c)
	if err != nil {
		return newleaf.Actor{}, newleaf.Errorf(newleaf.CodeForbidden, "the system does not tell who asks: %w", err)
	}
	gid, exists := groupID()
	return judge(int(cred.Uid), self, func() bool { return exists && isMember(cred, gid) })
}

// judge decides who a local user is to the device.
func judge(uid, self int, member func() bool) (newleaf.Actor, error) {
	name := "uid:" + strconv.Itoa(uid)
	switch {
	case uid == 0:
		return newleaf.Actor{Name: "root", Role: newleaf.Administrator, Local: true}, nil
	case uid == self:
		return newleaf.Actor{Name: name, Role: newleaf.Administrator, Local: true}, nil
	case member():
		return newleaf.Actor{Name: name, Role: newleaf.Viewer, Local: true}, nil
	}
	return newleaf.Actor{}, newleaf.Errorf(newleaf.CodeForbidden, "the user with number %d may not use the agent", uid).
		WithHint("Use it as root, or become a member of the group %s to look at it.", Group)
}

// peer asks the kernel who connected.
func peer(c net.Conn) (*syscall.Ucred, error) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil, errors.New("the connection has no file descriptor")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *syscall.Ucred
	var failure error
	if err := raw.Control(func(fd uintptr) {
		cred, failure = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	return cred, failure
}

func groupID() (int, bool) {
	g, err := user.LookupGroup(Group)
	if err != nil {
		return 0, false
	}
	gid, err := strconv.Atoi(g.Gid)
	return gid, err == nil
}

func isMember(cred *syscall.Ucred, gid int) bool {
	if int(cred.Gid) == gid {
		return true
	}
	u, err := user.LookupId(strconv.Itoa(int(cred.Uid)))
	if err != nil {
		return false
	}
	ids, err := u.GroupIds()
	if err != nil {
		return false
	}
	for _, id := range ids {
		if id == strconv.Itoa(gid) {
			return true
		}
	}
	return false
}
