package newleaf

import "testing"

func TestSettingsValidate(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Settings)
		says   string // "" is accepted
	}{
		{"a fresh device", func(*Settings) {}, ""},
		{"ENT-25 as many as there are", func(s *Settings) { s.Capacity = 3 }, ""},
		{"ENT-25 fewer than there are", func(s *Settings) { s.Capacity = 2 }, "3 certificates held"},
		{"ENT-25 none", func(s *Settings) { s.Capacity = 0 }, "capacity 0"},
		{"ENT-25 10000", func(s *Settings) { s.Capacity = 10000 }, ""},
		{"ENT-25 10001", func(s *Settings) { s.Capacity = 10001 }, "capacity 10001"},
		{"DLS-27 a quota", func(s *Settings) { s.Quota = 1 }, ""},
		{"DLS-27 negative", func(s *Settings) { s.Quota = -1 }, "quota"},
		{"TIM-20 a zone", func(s *Settings) { s.Zone = "Asia/Tokyo" }, ""},
		{"TIM-20 no such zone", func(s *Settings) { s.Zone = "Asia/Nowhere" }, `"Asia/Nowhere"`},
		{"TIM-20 none", func(s *Settings) { s.Zone = "" }, "time zone"},
		{"TIM-20 that of the machine says nothing", func(s *Settings) { s.Zone = "Local" }, `"Local"`},
		{"TIM-20 a path", func(s *Settings) { s.Zone = "../../etc/passwd" }, "time zone"},
		{"RST-01 a need", func(s *Settings) { s.Needs[IPsec] = NeedLive }, ""},
		{"RST-01 of no purpose", func(s *Settings) { s.Needs["fax"] = NeedLive }, `"fax"`},
		{"RST-01 of an instance has no effect", func(s *Settings) { s.Needs["tls:portal"] = NeedLive }, `"tls:portal"`},
		{"RST-01 no such need", func(s *Settings) { s.Needs[TLS] = "soon" }, `"soon"`},
		{"a journal of 100", func(s *Settings) { s.JournalEvents = 100 }, ""},
		{"a journal of 99", func(s *Settings) { s.JournalEvents = 99 }, "journal"},
		{"a journal of 64 KiB", func(s *Settings) { s.JournalBytes = 65536 }, ""},
		{"a journal of less", func(s *Settings) { s.JournalBytes = 65535 }, "journal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := DefaultSettings()
			c.change(&s)
			checkInvalid(t, s.Validate(3, BuiltinKinds()), c.says)
		})
	}
}

func TestSettingsNeed(t *testing.T) {
	s := DefaultSettings()
	s.Needs[IPsec] = NeedReload
	for p, want := range map[Purpose]Need{
		TLS: NeedLive, Dot1X: NeedRestart, IPsec: NeedReload, "ipsec:hq": NeedReload, "tls:portal": NeedLive, "fax": NeedRestart,
	} {
		if got := s.Need(p, BuiltinKinds()); got != want {
			t.Errorf("RST-01 %s needs %s, want %s", p, got, want)
		}
	}
}
