package main

import (
	"fmt"
	"strings"
)

// A manifest is one YAML document, sent as it is. The lab has no YAML parser and needs
// none: the API server reads the text, and four plain values in it say where to send it.
type manifest struct {
	text                              string
	apiVersion, kind, namespace, name string
}

func (m manifest) String() string {
	if m.namespace == "" {
		return m.kind + " " + m.name
	}
	return fmt.Sprintf("%s %s/%s", m.kind, m.namespace, m.name)
}

// readManifests splits plain block-style YAML into documents.
func readManifests(text string) ([]manifest, error) {
	var all []manifest
	var lines []string
	finish := func() error {
		m := manifest{text: strings.Join(lines, "\n") + "\n"}
		lines = nil
		if strings.TrimSpace(withoutComments(m.text)) == "" {
			return nil
		}
		m.readHead()
		if m.apiVersion == "" || m.kind == "" || m.name == "" {
			return fmt.Errorf("document %d: apiVersion, kind or metadata.name is missing, or not in plain block style", len(all)+1)
		}
		all = append(all, m)
		return nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line != "---" {
			lines = append(lines, line)
			continue
		}
		if err := finish(); err != nil {
			return nil, err
		}
	}
	return all, finish()
}

func (m *manifest) readHead() {
	within := ""
	for line := range strings.Lines(m.text) {
		indented := strings.HasPrefix(line, " ")
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !indented && strings.TrimSpace(line) != "" {
			within = strings.TrimSuffix(strings.TrimSpace(line), ":")
		}
		value = strings.Trim(value, `"'`)
		switch {
		case !ok:
		case !indented && key == "apiVersion":
			m.apiVersion = value
		case !indented && key == "kind":
			m.kind = value
		case within == "metadata" && strings.HasPrefix(line, "  name: "):
			m.name = value
		case within == "metadata" && strings.HasPrefix(line, "  namespace: "):
			m.namespace = value
		}
	}
}

func withoutComments(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
