package fhirserver

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// problem is a refusal: an HTTP status and the issue of the OperationOutcome. Diagnostics
// name elements and rules, never values, because values are the patient's.
type problem struct {
	status      int
	code        string // http://hl7.org/fhir/issue-type
	diagnostics string
	expression  string
}

func (p *problem) Error() string { return fmt.Sprintf("%d %s: %s", p.status, p.code, p.diagnostics) }

func refuse(status int, code, format string, args ...any) *problem {
	return &problem{status: status, code: code, diagnostics: fmt.Sprintf(format, args...)}
}

func invalid(expression, format string, args ...any) *problem {
	p := refuse(http.StatusUnprocessableEntity, "invariant", format, args...)
	p.expression = expression
	return p
}

type outcome struct {
	ResourceType string  `json:"resourceType"`
	Issue        []issue `json:"issue"`
}

type issue struct {
	Severity    string   `json:"severity"`
	Code        string   `json:"code"`
	Diagnostics string   `json:"diagnostics"`
	Expression  []string `json:"expression,omitempty"`
}

func writeProblem(w http.ResponseWriter, p *problem) {
	i := issue{Severity: "error", Code: p.code, Diagnostics: p.diagnostics}
	if p.expression != "" {
		i.Expression = []string{p.expression}
	}
	writeJSON(w, p.status, outcome{ResourceType: "OperationOutcome", Issue: []issue{i}})
}

const contentType = "application/fhir+json; charset=utf-8"

func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"fatal","code":"exception"}]}`)
	}
	writeBody(w, status, body)
}

func writeBody(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body) // the reader is gone; there is nobody left to tell
}
