package api

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are labelled by route template: no id, no name, no address becomes a label.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "televisit_http_requests_total",
			Help: "Answered requests by route template, method and status."}, []string{"route", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "televisit_http_request_duration_seconds",
			Help: "Time to answer by route template.", Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "televisit_http_in_flight", Help: "Requests being answered now."}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.inFlight} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Metrics are the server's figures for Prometheus. They carry no id, no name and no address.
type Metrics struct{ *prometheus.Registry }

// NewMetrics makes an empty set of figures.
func NewMetrics() *Metrics { return &Metrics{prometheus.NewRegistry()} }

// Gauge adds a figure that goes up and down. The full name is televisit_<name>; two of one name are an error.
func (m *Metrics) Gauge(name, help string, value func() float64) error {
	return m.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "televisit", Name: name, Help: help}, value))
}

// Counter adds a figure that only grows; its name ends in _total.
func (m *Metrics) Counter(name, help string, value func() float64) error {
	return m.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "televisit", Name: name, Help: help}, value))
}

// Handler serves the figures. It belongs on a listener of its own, which patients cannot reach.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m, promhttp.HandlerOpts{EnableOpenMetrics: true})
}
