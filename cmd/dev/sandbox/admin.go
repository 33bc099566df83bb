package sandbox

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"time"

	"github.com/televisit/televisit/cmd/dev/sandbox/faults"
)

// admin is the interface of tests, guarded by a token that only the starter was told.
func (s *Server) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sandbox/faults", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.faults.List()) })
	mux.HandleFunc("POST /sandbox/faults", s.addFault)
	mux.HandleFunc("DELETE /sandbox/faults", func(w http.ResponseWriter, r *http.Request) {
		s.faults.Clear(r.URL.Query().Get("id"))
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /sandbox/received", s.received)
	mux.HandleFunc("GET /sandbox/requests", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.log.Entries()) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("X-Sandbox-Admin")), []byte(s.adminToken)) != 1 {
			answer(w, http.StatusForbidden, map[string]string{"error": "X-Sandbox-Admin is missing or wrong"})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *Server) addFault(w http.ResponseWriter, r *http.Request) {
	const maxFault = 4 << 10
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxFault))
	decoder.DisallowUnknownFields()
	var fault faults.Fault
	if err := decoder.Decode(&fault); err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": "the body is not a fault"})
		return
	}
	armed, err := s.faults.Add(fault)
	if err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	answer(w, http.StatusCreated, armed)
}

// Received is one write of a client, byte for byte as it was sent.
type Received struct {
	Type        string    `json:"type"`
	ID          string    `json:"id"`
	Version     int       `json:"version"`
	ReceivedAt  time.Time `json:"received_at"`
	Method      string    `json:"method"`
	Client      string    `json:"client"`
	BytesBase64 []byte    `json:"bytes_base64"`
	Identifier  any       `json:"identifier"`
}

func (s *Server) received(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, s.Received(r.URL.Query().Get("type")))
}

// Received lists what clients wrote, in order, optionally of one resource type.
func (s *Server) Received(resourceType string) []Received {
	out := []Received{}
	for _, v := range s.store.Received(resourceType) {
		item := Received{Type: v.Type, ID: v.ID, Version: v.Version, ReceivedAt: v.At, Method: v.Method, Client: v.Client, BytesBase64: v.Sent, Identifier: []any{}}
		if identifier, ok := v.Parsed()["identifier"]; ok {
			item.Identifier = identifier
		}
		out = append(out, item)
	}
	return out
}

// Faults gives tests in process the same control as the administration interface.
func (s *Server) Faults() *faults.Set { return s.faults }
