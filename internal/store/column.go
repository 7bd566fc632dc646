package store

import (
	"database/sql/driver"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// instant is a time as a column: RFC 3339 in UTC, "" for the zero time.
type instant time.Time

func (i instant) Value() (driver.Value, error) {
	t := time.Time(i)
	if t.IsZero() {
		return "", nil
	}
	text, err := t.UTC().MarshalText() // refuses years RFC 3339 cannot write
	return string(text), err
}

func (i *instant) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("a time is a text, not %T", v)
	}
	var t time.Time
	if text != "" {
		if err := t.UnmarshalText([]byte(text)); err != nil {
			return err
		}
	}
	*i = instant(t.UTC())
	return nil
}

// words is a list of words without commas as a column.
type words[T ~string] []T

func (w words[T]) Value() (driver.Value, error) {
	all := make([]string, len(w))
	for i, word := range w {
		if all[i] = string(word); all[i] == "" || strings.Contains(all[i], ",") {
			return nil, fmt.Errorf("%q is not a word", word)
		}
	}
	return strings.Join(all, ","), nil
}

func (w *words[T]) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("a list of words is a text, not %T", v)
	}
	*w = words[T]{}
	if text == "" {
		return nil
	}
	for word := range strings.SplitSeq(text, ",") {
		*w = append(*w, T(word))
	}
	return nil
}

// chain is a list of DER certificates, one after the other, as a column.
type chain [][]byte

func (c chain) Value() (driver.Value, error) {
	all := []byte{} // no nil: that would be NULL
	for i, der := range c {
		if rest, err := asn1.Unmarshal(der, new(asn1.RawValue)); err != nil || len(rest) > 0 {
			return nil, fmt.Errorf("certificate %d of the chain is not DER", i+1)
		}
		all = append(all, der...)
	}
	return all, nil
}

func (c *chain) Scan(v any) error {
	all, ok := v.([]byte)
	if !ok && v != nil {
		return fmt.Errorf("a chain is a blob, not %T", v)
	}
	rest := append([]byte{}, all...) // the driver's bytes are lent
	*c = chain{}
	for len(rest) > 0 {
		var one asn1.RawValue
		next, err := asn1.Unmarshal(rest, &one)
		if err != nil {
			return err
		}
		*c, rest = append(*c, one.FullBytes), next
	}
	return nil
}

// encoded is what a pointer points to, as JSON in a column; "" for null.
type encoded struct{ at any }

func (e encoded) Value() (driver.Value, error) {
	raw, err := json.Marshal(e.at)
	if err != nil || string(raw) == "null" {
		return "", err
	}
	return string(raw), nil
}

func (e encoded) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("JSON is a text, not %T", v)
	}
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), e.at)
}

// blob is never NULL.
func blob(b []byte) []byte { return append([]byte{}, b...) }
