package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir/ehr"
	"github.com/televisit/televisit/scheduling"
)

// chartWithin bounds how long a clinician looks at a placeholder.
const chartWithin = 8 * time.Second

// chartSource is a list of the chart and where FHIR R4 (US Core) has it.
type chartSource struct {
	kind, resource string
	params         url.Values
}

func chartSources() []chartSource {
	return []chartSource{
		{"problems", "Condition", url.Values{"category": {"problem-list-item"}}},
		{"medications", "MedicationRequest", url.Values{"status": {"active"}}},
		{"allergies", "AllergyIntolerance", url.Values{}},
	}
}

// chart shows problems, medications and allergies as the EHR has them now. A list that cannot be read says so; the
// others are shown.
func (p *VisitPages) chart(c *gin.Context, v scheduling.VisitView) error {
	who := api.ActorOf(c)
	view := &ChartView{EHR: v.EHR}
	if v.Patient.Reference.IsZero() || p.Chart == nil {
		view.Problem = "none"
		p.Site.Fragment(c, http.StatusOK, "chart", view)
		return nil
	}
	err := p.Trail.Record(c.Request.Context(), who, audit.Event{Action: "chart.viewed", Outcome: audit.Success, Visit: v.ID, Room: v.Room,
		Patient: v.Patient.ID, ObjectKind: "chart", ObjectID: v.Patient.ID.String()})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), chartWithin)
	defer cancel()
	lists, err := p.readLists(ctx, who.Org, v)
	if err != nil {
		api.Warn(c, "a list of the chart could not be read", err)
	}
	if failed(lists) {
		view.Problem = problemOf(err)
	} else {
		view.Lists, view.AsOf = lists, p.Now().In(zone(v.Clinician.TimeZone)).Format(time.TimeOnly)
	}
	p.Site.Fragment(c, http.StatusOK, "chart", view)
	return nil
}

func problemOf(err error) string {
	var forbidden *ehr.Forbidden
	if errors.As(err, &forbidden) {
		return "forbidden"
	}
	return "offline"
}

// readLists reads all at once; the error joins those of the lists that failed.
func (p *VisitPages) readLists(ctx context.Context, org uuid.UUID, v scheduling.VisitView) ([]ChartList, error) {
	sources := chartSources()
	lists := make([]ChartList, len(sources))
	problems := make([]error, len(sources))
	var reading sync.WaitGroup
	for i, source := range sources {
		lists[i].Kind = source.kind
		source.params.Set("patient", v.Patient.Reference.Reveal())
		reading.Go(func() {
			found, err := p.Chart.Search(ctx, org, v.EHR, source.resource, source.params)
			lists[i].Problem, problems[i] = err != nil, err
			lists[i].Items = chartItems(found)
		})
	}
	reading.Wait()
	return lists, errors.Join(problems...)
}

func failed(lists []ChartList) bool {
	for _, list := range lists {
		if !list.Problem {
			return false
		}
	}
	return true
}

// concept is FHIR R4's CodeableConcept, as far as it is shown.
type concept struct {
	Text   string `json:"text"`
	Coding []struct {
		Code    string `json:"code"`
		Display string `json:"display"`
	} `json:"coding"`
}

func (c concept) words() string {
	if c.Text != "" {
		return c.Text
	}
	for _, coding := range c.Coding {
		if coding.Display != "" {
			return coding.Display
		}
	}
	return ""
}

func (c concept) is(code string) bool {
	for _, coding := range c.Coding {
		if coding.Code == code {
			return true
		}
	}
	return false
}

// chartEntry reads the elements shown of Condition, MedicationRequest and AllergyIntolerance.
type chartEntry struct {
	Code               concept `json:"code"`
	Medication         concept `json:"medicationCodeableConcept"`
	ClinicalStatus     concept `json:"clinicalStatus"`
	VerificationStatus concept `json:"verificationStatus"`
	OnsetDateTime      string  `json:"onsetDateTime"`
	Criticality        string  `json:"criticality"`
	DosageInstruction  []struct {
		Text string `json:"text"`
	} `json:"dosageInstruction"`
	Reaction []struct {
		Manifestation []concept `json:"manifestation"`
	} `json:"reaction"`
}

func chartItems(found []ehr.Resource) []ChartItem {
	var items []ChartItem
	for _, resource := range found {
		var entry chartEntry
		if json.Unmarshal(resource.Raw, &entry) != nil || entry.VerificationStatus.is("entered-in-error") {
			continue
		}
		if entry.ClinicalStatus.is("resolved") || entry.ClinicalStatus.is("inactive") {
			continue
		}
		if item := (ChartItem{Text: entry.title(), Detail: entry.detail()}); item.Text != "" {
			items = append(items, item)
		}
	}
	return items
}

func (e chartEntry) title() string {
	if words := e.Code.words(); words != "" {
		return words
	}
	return e.Medication.words()
}

func (e chartEntry) detail() string {
	switch {
	case len(e.DosageInstruction) > 0:
		return e.DosageInstruction[0].Text
	case len(e.Reaction) > 0 && len(e.Reaction[0].Manifestation) > 0:
		return e.Reaction[0].Manifestation[0].words()
	case len(e.OnsetDateTime) >= 4:
		return e.OnsetDateTime[:4]
	}
	return ""
}

// Search implements ChartSearch.
func (e *EHRCharts) Search(ctx context.Context, org uuid.UUID, name, resource string, params url.Values) ([]ehr.Resource, error) {
	client, ok := e.Client(org, name)
	if !ok {
		return nil, api.ErrNotFound
	}
	return client.Search(ctx, resource, params)
}
