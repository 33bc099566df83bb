package fhir

import (
	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"
)

// Issue is one line of an OperationOutcome. Its texts are safe: they name elements and rules, never values.
type Issue struct {
	Severity   string   // fatal, error, warning, information; empty is error
	Code       string   // R4 issue-type; empty is processing
	Text       string   // what is wrong, and what would be right
	Expression []string // FHIRPath of the element, such as Appointment.start
}

// OperationOutcome tells a client what was wrong. Without any issue it says that all is well.
func OperationOutcome(issues ...Issue) []byte {
	var o r4.OperationOutcome
	for _, i := range issues {
		o.Issue = append(o.Issue, issue(i))
	}
	if len(o.Issue) == 0 {
		o.Issue = []r4.OperationOutcomeIssue{issue(Issue{Severity: "information", Code: "informational", Text: "All is well"})}
	}
	return encode(o)
}

func issue(i Issue) r4.OperationOutcomeIssue {
	severity, code := r4.IssueSeverityError, r4.IssueTypeProcessing
	if i.Severity != "" && severity.UnmarshalJSON([]byte(i.Severity)) != nil {
		severity = r4.IssueSeverityError
	}
	if i.Code != "" && code.UnmarshalJSON([]byte(i.Code)) != nil {
		code = r4.IssueTypeProcessing
	}
	out := r4.OperationOutcomeIssue{Severity: severity, Code: code, Diagnostics: str(i.Text)}
	for _, e := range i.Expression {
		if s := str(e); s != nil {
			out.Expression = append(out.Expression, *s)
		}
	}
	return out
}
