package main

import (
	"time"

	"github.com/televisit/televisit/api/web"
)

func recordScenes() []scene {
	clinician, officer := []string{"clinician"}, []string{"compliance"}
	rail := web.Rail{Current: "recordings", Today: 9, Signing: 1}
	stored := web.RecordingRow{ID: "r1", Started: at(9, 2), Patient: "Brown, Margaret", Type: "follow-up", State: "stored", Length: 17*time.Minute + 42*time.Second, Size: "84 MB", Consents: 2}
	failed := web.RecordingRow{ID: "r2", Started: at(8, 31), Patient: "Silva, João", Type: "video", State: "failed", Problem: "The object store did not answer; the local copy is kept.", Length: 12 * time.Minute, Size: "51 MB"}
	rows := []web.AuditRow{
		{ID: 48213, At: noon(), Action: "note.signed", Outcome: "success", Who: "Dr. Kofi Osei", WhoID: "0d8f2c11", Role: "clinician", Visit: "5b1f77e2", Patient: "c77a01d4", From: "10.4.18.22", Purpose: "TREAT"},
		{ID: 48212, At: noon().Add(-time.Minute), Action: "access.refused", Outcome: "refused", Who: "Lena Park", WhoID: "9aa3401b", Role: "scheduler", From: "10.4.7.3", Purpose: "TREAT", Code: "not-permitted"},
		{ID: 48211, At: noon().Add(-2 * time.Minute), Action: "room.joined", Outcome: "success", Who: "Patient", WhoID: "71e0c9aa", Role: "patient", Visit: "5b1f77e2", Patient: "c77a01d4", From: "2001:db8:41::7", Purpose: "TREAT"},
		{ID: 48210, At: noon().Add(-3 * time.Minute), Action: "delivery.rejected", Outcome: "failure", Who: "Televisit", Role: "system", Visit: "11f0aa32", Purpose: "TREAT", Code: "422"},
	}
	whole := web.Verification{Done: true, At: noon().Add(-40 * time.Second), Rows: 48201, Pending: 12}
	fhir := "{\n  \"resourceType\": \"AuditEvent\",\n  \"type\": { \"system\": \"http://terminology.hl7.org/CodeSystem/audit-event-type\", \"code\": \"rest\" },\n  \"action\": \"C\",\n  \"recorded\": \"2026-03-12T15:42:07.114Z\",\n  \"outcome\": \"0\"\n}"
	seal := web.SealState{Sealed: true, Leaf: 48199, Checkpoint: 48213, SealedAt: noon(), Archived: true, Verified: true, LeafHash: "9f1c7e0b5f6a4a7d2c1b8e9f0a3d4c5b6a79887766554433221100ffeeddccbb", Root: "4be1c0ffee5f6a4a7d2c1b8e9f0a3d4c5b6a79887766554433221100ffeeddcc"}
	broken := seal
	broken.Verified = false
	return []scene{
		{name: "recordings", path: "/recordings", roles: clinician, view: &web.RecordingsView{Rail: rail, Rows: []web.RecordingRow{stored, failed}}},
		{name: "recordings-empty", path: "/recordings", roles: clinician, view: &web.RecordingsView{Rail: rail}},
		{name: "player", path: "/recordings", roles: clinician, view: &web.PlayerView{Recording: stored, Clinician: "Dr. Kofi Osei", Fingerprint: "9f1c 7e0b 5f6a 4a7d", ContentType: "video/webm", VisitHref: "/visits/9"}},
		{name: "audit", path: "/audit", roles: officer, view: &web.AuditView{Rows: rows, Older: 48210, Verified: whole, Actions: []string{"note.signed", "room.joined"}}},
		{name: "audit-tampered", path: "/audit", roles: officer, view: &web.AuditView{Rows: rows[:2], Verified: web.Verification{Done: true, At: noon(), Findings: []string{"audit_event row 48190: the row was edited after it was sealed as leaf 48176"}}}},
		{name: "audit-empty", path: "/audit", roles: officer, view: &web.AuditView{Query: web.AuditQuery{Text: "10.4.18.99"}}},
		{name: "audit-bad-query", path: "/audit", roles: officer, view: &web.AuditView{Query: web.AuditQuery{Text: "ana"}, Problem: "query", Verified: whole}},
		{name: "audit-event", path: "/audit", roles: officer, view: &web.AuditEventView{Row: rows[0], FHIR: fhir, Seal: seal, Detail: []web.DetailLine{{Name: "sha256", Value: "9f1c7e0b"}}}},
		{name: "audit-event-broken", path: "/audit", roles: officer, view: &web.AuditEventView{Row: rows[1], FHIR: fhir, Seal: broken}},
		{name: "audit-event-pending", path: "/audit", roles: officer, view: &web.AuditEventView{Row: rows[2], FHIR: fhir}},
		{name: "boundary", path: "/boundary", roles: officer, view: boundary(false)},
		{name: "boundary-faulty", path: "/boundary", roles: officer, view: boundary(true)},
	}
}

func boundary(faulty bool) *web.BoundaryView {
	hops := []web.HopView{
		{Name: "Signalling and pages", Kind: "signalling", Operator: "Sandbox Hospital", PHI: true, Inside: true, Encryption: "TLS 1.3", State: "own", Endpoint: "televisit.example:443"},
		{Name: "Media", Kind: "media", Operator: "Sandbox Hospital", PHI: true, Inside: true, Encryption: "DTLS-SRTP", State: "own", Endpoint: "udp 3478"},
		{Name: "Database", Kind: "database", Operator: "Sandbox Hospital", PHI: true, Inside: true, Encryption: "unix socket, sealed columns", State: "own"},
		{Name: "Recordings", Kind: "storage", Operator: "Amazon Web Services", PHI: true, Encryption: "TLS 1.3, SSE-KMS, AES-256-GCM", BAA: "AWS BAA 2024-118", State: "covered", HasExpiry: true, Expires: noon().AddDate(1, 0, 0), Endpoint: "s3.us-east-1"},
		{Name: "Keys", Kind: "keys", Operator: "Amazon Web Services", Encryption: "TLS 1.3", BAA: "AWS BAA 2024-118", State: "none-needed"},
		{Name: "EHR", Kind: "ehr", Operator: "Epic North", PHI: true, Encryption: "TLS 1.3", BAA: "Epic 77-2", State: "expiring", HasExpiry: true, Expires: noon().AddDate(0, 0, 20)},
	}
	if faulty {
		hops = append(hops, web.HopView{Name: "SMS", Kind: "sms", Operator: "Texter Inc.", PHI: true, Encryption: "TLS 1.2", State: "missing"})
	}
	return web.BoundaryMap(hops, noon(), "televisit 0.1")
}
