package rtc_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/televisit/televisit/api/rtc"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is a running signalling server with a real media node behind it.
type desk struct {
	*ledger
	http    *httptest.Server
	node    *media.Node
	reports *reports
	entered chan netip.Addr
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	d := &desk{ledger: newLedger(), reports: newReports(), entered: make(chan netip.Addr, 1000)}
	node, err := media.NewNode(media.Config{
		UDPAddr: "127.0.0.1:0", IncludeLoopback: true, MuteAfter: 200 * time.Millisecond, Grace: 20 * time.Second,
	}, d.reports)
	if err != nil {
		t.Fatal(err)
	}
	engine := gin.New()
	d.http = httptest.NewUnstartedServer(engine)
	origin := "http://" + d.http.Listener.Addr().String()
	server, err := rtc.NewServer(rtc.Config{
		Origins: []string{origin}, Node: node, Access: d.ledger, Log: slog.New(slog.DiscardHandler),
		Entering: func(_ rtc.Grant, address netip.Addr) {
			select {
			case d.entered <- address:
			default: // a fuzzer enters more often than anybody looks
			}
		},
		ICE: func(uuid.UUID) []media.ICEServer {
			return []media.ICEServer{{URLs: []string{"turn:127.0.0.1:1?transport=udp"}, Username: "u", Credential: "c"}}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	engine.GET("/rtc", server.Serve)
	d.http.Start()
	d.node = node
	t.Cleanup(func() {
		node.Close()
		server.Close()
		d.http.Close()
	})
	return d
}

func (d *desk) dial(t testing.TB, origin string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return websocket.Dial(ctx, d.http.URL+"/rtc", &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {origin}}})
}

// client is a connected socket.
type client struct {
	t      testing.TB
	socket *websocket.Conn
}

func (d *desk) connect(t testing.TB) *client {
	t.Helper()
	socket, _, err := d.dial(t, d.http.URL)
	if err != nil {
		t.Fatal(err)
	}
	socket.SetReadLimit(media.MaxMessage)
	t.Cleanup(func() { _ = socket.CloseNow() })
	return &client{t, socket}
}

func (d *desk) join(t testing.TB, grant rtc.Grant) (*client, media.Message) {
	t.Helper()
	c := d.connect(t)
	c.say(map[string]any{"t": "hello", "v": 1, "token": d.issue(grant)})
	return c, c.hear(media.TypeWelcome)
}

func (c *client) say(message any) {
	c.t.Helper()
	data, err := json.Marshal(message)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(websocket.MessageText, data)
}

func (c *client) write(kind websocket.MessageType, data []byte) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := c.socket.Write(ctx, kind, data); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) next() (media.Message, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	_, data, err := c.socket.Read(ctx)
	if err != nil {
		return media.Message{}, err
	}
	return media.ParseServer(data)
}

// hear waits for a message of the type and drops the others before it.
func (c *client) hear(kind string) media.Message {
	c.t.Helper()
	for {
		message, err := c.next()
		if err != nil {
			c.t.Fatalf("no %s came: %v", kind, err)
		}
		if message.Type == kind {
			return message
		}
	}
}

// closed waits for the end of the socket and gives its code.
func (c *client) closed() websocket.StatusCode {
	for {
		if _, err := c.next(); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

func people() (clinician, patient rtc.Grant) {
	org, room := uuid.New(), uuid.New()
	return rtc.Grant{Org: org, Room: room, Participant: uuid.New(), Role: media.RoleClinician, Host: true},
		rtc.Grant{Org: org, Room: room, Participant: uuid.New(), Role: media.RolePatient}
}

func TestAnotherOriginIsTurnedAway(t *testing.T) {
	d := newDesk(t)
	for _, origin := range []string{"https://elsewhere.example", "", d.http.URL + ".elsewhere.example", "null"} {
		_, response, err := d.dial(t, origin)
		if err == nil || response == nil || response.StatusCode != http.StatusForbidden {
			t.Errorf("origin %q was let in: %v", origin, err)
		}
	}
}

func TestRefusedTokensAreNamed(t *testing.T) {
	d := newDesk(t)
	grant, _ := people()
	used, expired := d.issue(grant), d.issue(grant)
	if _, err := d.Redeem(t.Context(), identity.Caller{}, used); err != nil {
		t.Fatal(err)
	}
	d.expire(expired)
	for token, code := range map[string]string{used: rtc.CodeTokenUsed, expired: rtc.CodeTokenExpired, "not-ours": rtc.CodeTokenForeign} {
		c := d.connect(t)
		c.say(map[string]any{"t": "hello", "v": 1, "token": token})
		if told := c.hear(media.TypeError); told.Code != code {
			t.Errorf("told %q, want %q", told.Code, code)
		}
		if status := c.closed(); status != rtc.CloseUnauthentic {
			t.Errorf("%s: closed with %d", code, status)
		}
	}
}

func TestHelloMustComeFirst(t *testing.T) {
	d := newDesk(t)
	tests := map[string]func(*client){
		"another type":  func(c *client) { c.say(map[string]any{"t": "ping", "id": 1}) },
		"binary":        func(c *client) { c.write(websocket.MessageBinary, []byte(`{"t":"hello","v":1,"token":"x"}`)) },
		"no JSON":       func(c *client) { c.write(websocket.MessageText, []byte(`hello`)) },
		"other version": func(c *client) { c.say(map[string]any{"t": "hello", "v": 2, "token": "x"}) },
		"silence":       func(*client) {},
	}
	for name, speak := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := d.connect(t)
			speak(c)
			if told := c.hear(media.TypeError); told.Code != rtc.CodeHelloExpected {
				t.Errorf("told %q", told.Code)
			}
			if status := c.closed(); status != rtc.CloseHelloLate {
				t.Errorf("closed with %d", status)
			}
		})
	}
}

func TestWelcomeNamesServersAndPolicy(t *testing.T) {
	d := newDesk(t)
	grant, _ := people()
	grant.RelayOnly = true
	_, welcome := d.join(t, grant)
	if welcome.Policy != "relay-only" || len(welcome.ICEServers) != 1 || welcome.Resume == "" {
		t.Errorf("welcome %+v", welcome)
	}
	if welcome.Peer != grant.Participant.String() || welcome.Room != grant.Room.String() {
		t.Error("welcome is of another room or participant")
	}
	if address := <-d.entered; !address.IsLoopback() {
		t.Errorf("entered from %s", address)
	}
}

func TestAnOfferMayComeRightBehindHello(t *testing.T) {
	d := newDesk(t)
	c := d.connect(t)
	_, patient := people()
	offer := []string{"v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=mid:0",
		"a=sendrecv", "a=rtcp-mux", "a=setup:actpass", "a=ice-ufrag:abcd", "a=ice-pwd:0123456789abcdef012345",
		"a=fingerprint:sha-256 " + strings.Repeat("AB:", 31) + "AB", "a=rtpmap:111 opus/48000/2", ""}
	c.say(map[string]any{"t": "hello", "v": 1, "token": d.issue(patient)})
	c.say(map[string]any{"t": "offer", "neg": 1, "sdp": strings.Join(offer, "\r\n")})
	c.hear(media.TypeWelcome)
	if answer := c.hear(media.TypeAnswer); answer.Negotiation != 1 || !strings.Contains(answer.SDP, "a=candidate:") {
		t.Errorf("the answer is %+v", answer)
	}
}

func TestByeEndsTheCallForBoth(t *testing.T) {
	d := newDesk(t)
	clinician, patient := people()
	host, _ := d.join(t, clinician)
	other, _ := d.join(t, patient)
	other.say(map[string]any{"t": "bye"})
	if ended := host.hear(media.TypeEnded); ended.Reason != media.ReasonPeerLeft {
		t.Errorf("reason %q", ended.Reason)
	}
	if status := host.closed(); status != websocket.StatusNormalClosure {
		t.Errorf("the other side's socket closed with %d", status)
	}
	if status := other.closed(); status != websocket.StatusNormalClosure {
		t.Errorf("the leaver's socket closed with %d", status)
	}
}

func TestADroppedSocketMayComeBack(t *testing.T) {
	d := newDesk(t)
	clinician, patient := people()
	host, _ := d.join(t, clinician)
	first, welcome := d.join(t, patient)
	_ = first.socket.CloseNow()
	d.reports.wait(t, "lost", patient.Participant)
	if muted := host.hear(media.TypeMuted); muted.Reason != "peer-lost" {
		t.Errorf("muted for %q", muted.Reason)
	}

	again := d.connect(t)
	again.say(map[string]any{"t": "hello", "v": 1, "token": d.issue(patient), "resume": welcome.Resume})
	if back := again.hear(media.TypeWelcome); back.Peer != welcome.Peer || back.Resume == welcome.Resume {
		t.Error("not the same peer, or the secret was given twice")
	}
}

func TestResumeNeedsTheSecretOfTheSamePerson(t *testing.T) {
	d := newDesk(t)
	clinician, patient := people()
	_, welcomeHost := d.join(t, clinician)
	d.join(t, patient)
	for name, secret := range map[string]string{"wrong": "AAAAAAAAAAAAAAAAAAAAAA", "of somebody else": welcomeHost.Resume} {
		c := d.connect(t)
		c.say(map[string]any{"t": "hello", "v": 1, "token": d.issue(patient), "resume": secret})
		if told := c.hear(media.TypeError); told.Code != rtc.CodeResumeRefused {
			t.Errorf("%s: told %q", name, told.Code)
		}
		if status := c.closed(); status != rtc.CloseRefused {
			t.Errorf("%s: closed with %d", name, status)
		}
	}
}

func TestARenewedTokenOpensTheNextSocket(t *testing.T) {
	d := newDesk(t)
	clinician, _ := people()
	c, _ := d.join(t, clinician)
	c.say(map[string]any{"t": "renew"})
	token := c.hear(media.TypeToken)
	if _, err := time.Parse(time.RFC3339, token.Expires); err != nil {
		t.Error(err)
	}
	next := d.connect(t)
	next.say(map[string]any{"t": "hello", "v": 1, "token": token.Token})
	next.hear(media.TypeWelcome)
	if ended := c.hear(media.TypeEnded); ended.Reason != media.ReasonReplaced {
		t.Errorf("the older socket ended with %q", ended.Reason)
	}
}

func TestBadMessagesAreToldAndSurvived(t *testing.T) {
	d := newDesk(t)
	clinician, _ := people()
	c, _ := d.join(t, clinician)
	tests := []struct{ send, code string }{
		{`{"t":"teleport"}`, rtc.CodeUnknownType},
		{`{"t":"offer"}`, rtc.CodeBadMessage},
		{`[]`, rtc.CodeBadMessage},
		{`{"t":"ping"`, rtc.CodeBadMessage},
		{`{"t":"hello","v":1,"token":"again"}`, rtc.CodeBadMessage},
		{`{"t":"candidate","candidate":"candidate:1 1 udp 1 10.0.0.1 9 typ host"}`, "no-offer"},
		{`{"t":"offer","sdp":"v=0","neg":1}`, "bad-offer"},
	}
	for _, test := range tests {
		c.write(websocket.MessageText, []byte(test.send))
		if told := c.hear(media.TypeError); told.Code != test.code {
			t.Errorf("%s: told %q, want %q", test.send, told.Code, test.code)
		}
	}
	c.write(websocket.MessageBinary, []byte{0, 1, 2})
	c.hear(media.TypeError)
	c.say(map[string]any{"t": "ping", "id": 7})
	if pong := c.hear(media.TypePong); pong.ID == nil || pong.ID.Number != 7 {
		t.Error("the pong is not of this ping")
	}
}

func TestTooMuchIsCutOff(t *testing.T) {
	d := newDesk(t)
	t.Run("a long message", func(t *testing.T) {
		clinician, _ := people()
		c, _ := d.join(t, clinician)
		c.write(websocket.MessageText, []byte(`{"t":"offer","sdp":"`+strings.Repeat("x", media.MaxMessage)+`"}`))
		if status := c.closed(); status != websocket.StatusMessageTooBig {
			t.Errorf("closed with %d", status)
		}
	})
	t.Run("a flood", func(t *testing.T) {
		clinician, _ := people()
		c, _ := d.join(t, clinician)
		go func() {
			for c.socket.Write(t.Context(), websocket.MessageText, []byte(`{"t":"stats"}`)) == nil {
			}
		}()
		if told := c.hear(media.TypeError); told.Code != rtc.CodeTooMany {
			t.Errorf("told %q", told.Code)
		}
		if status := c.closed(); status != rtc.CloseTooMany {
			t.Errorf("closed with %d", status)
		}
	})
}

func TestAClosedServerTakesNobody(t *testing.T) {
	server, err := rtc.NewServer(rtc.Config{Origins: []string{"x"}, Node: newDesk(t).node, Access: newLedger(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	engine := gin.New()
	engine.GET("/rtc", server.Serve)
	request := httptest.NewRequest(http.MethodGet, "/rtc", nil)
	request.Header.Set("Origin", "x")
	recorder := httptest.NewRecorder()
	engine.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", recorder.Code)
	}
}
