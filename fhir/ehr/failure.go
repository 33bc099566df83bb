package ehr

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds how long an EHR may make us wait.
const maxRetryAfter = time.Hour

// sortFailure decides what kind of failure a status is.
func sortFailure(p Problem, response *http.Response, body []byte, now time.Time) error {
	p.Codes, p.Vendor = outcomeCodes(body)
	switch status := response.StatusCode; {
	case isProtected(p.Vendor):
		return &Forbidden{p}
	case status == http.StatusUnauthorized:
		return &Unauthorized{p}
	case status == http.StatusForbidden:
		return &Forbidden{p}
	case status == http.StatusNotFound, status == http.StatusGone:
		return &NotFound{p}
	case status == http.StatusConflict, status == http.StatusPreconditionFailed, status == http.StatusLocked:
		return &Conflict{p}
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return &Transient{Problem: p, RetryAfter: retryAfter(response.Header, now)}
	case status == http.StatusNotImplemented, status == http.StatusHTTPVersionNotSupported:
		return &Permanent{p}
	case status >= 500:
		// A server that fails, and a gateway that gives up, may have carried the request out.
		return &Transient{Problem: p, RetryAfter: retryAfter(response.Header, now), MayHaveHappened: true}
	}
	return &Permanent{p}
}

// isProtected knows the vendor codes (break-the-glass) that say that the chart is protected: trying again would look like snooping.
func isProtected(codes []string) bool {
	return slices.Contains(codes, "4130") || slices.Contains(codes, "4131")
}

// retryAfter reads both forms of RFC 9110 section 10.2.3.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(max(seconds, 0), int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// outcomeCodes reads an OperationOutcome's codes and nothing else of it.
func outcomeCodes(body []byte) (codes, vendor []string) {
	if len(body) == 0 || len(body) > maxResource || checkDepth(body) != nil {
		return nil, nil
	}
	var outcome struct {
		Type  string `json:"resourceType"`
		Issue []struct {
			Code    string `json:"code"`
			Details struct {
				Coding []struct {
					Code string `json:"code"`
				} `json:"coding"`
			} `json:"details"`
		} `json:"issue"`
	}
	if json.Unmarshal(body, &outcome) != nil || outcome.Type != "OperationOutcome" {
		return nil, nil
	}
	for _, issue := range outcome.Issue {
		if isIssueType(issue.Code) && !slices.Contains(codes, issue.Code) {
			codes = append(codes, issue.Code)
		}
		for _, coding := range issue.Details.Coding {
			if isNumericCode(coding.Code) && !slices.Contains(vendor, coding.Code) {
				vendor = append(vendor, coding.Code)
			}
		}
	}
	return codes, vendor
}

// isNumericCode admits short numbers only: whatever is longer might be an identifier of somebody.
func isNumericCode(s string) bool {
	return s != "" && len(s) <= 6 && strings.Trim(s, "0123456789") == ""
}

// isIssueType knows FHIR R4's value set issue-type.
func isIssueType(code string) bool {
	switch code {
	case "invalid", "structure", "required", "value", "invariant", "security", "login", "unknown", "expired", "forbidden", "suppressed",
		"processing", "not-supported", "duplicate", "multiple-matches", "not-found", "deleted", "too-long", "code-invalid", "extension",
		"too-costly", "business-rule", "conflict", "transient", "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled", "informational":
		return true
	}
	return false
}
