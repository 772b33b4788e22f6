package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The comparer says whether two sites have the same objects. It shares nothing with
// lifeboat, neither code nor knowledge, so that the two can contradict each other.

// compareOptions are what a caller may leave out, and nothing else is.
type compareOptions struct {
	Left, Right string
	Namespaces  words // of the left site; none: all, and what is outside of namespaces
	Map         pairs // left name to right name
	Ignore      words // kinds
	Status      words // kinds whose status is compared
	owners      string
	asJSON      bool
}

func (o compareOptions) status(k kind) bool { return k.among(o.Status) }

// among: kinds are named as they are printed, or in the plural as in a runbook.
func (k kind) among(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return strings.EqualFold(name, k.name) || strings.EqualFold(name, k.plural)
	})
}

// A difference is one line of the answer. Names are those on the right site.
type difference struct {
	What      string `json:"what"` // missing on the right, extra there, or changed
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Path      string `json:"path,omitempty"`
	Left      any    `json:"left,omitempty"`
	Right     any    `json:"right,omitempty"`
}

func (d difference) String() string {
	line := d.What + " " + d.Kind + " " + d.place()
	if d.What == "changed" {
		line += " " + d.Path + ": " + short(d.Left) + " → " + short(d.Right)
	}
	return line
}

func (d difference) place() string {
	if d.Namespace == "" {
		return d.Name
	}
	return d.Namespace + "/" + d.Name
}

// short is a value in one line.
func short(value any) string {
	if value == nil {
		return "(none)"
	}
	line, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	const most = 120
	if len(line) <= most {
		return string(line)
	}
	cut := most
	for !utf8.RuneStart(line[cut]) {
		cut--
	}
	return fmt.Sprintf("%s… (%d bytes)", line[:cut], len(line))
}

// A comparison is the whole answer. The counts are there so that a test can tell that
// something was compared.
type comparison struct {
	Equal       bool             `json:"equal"`
	Compared    map[string]count `json:"compared"` // by kind
	LeftOut     map[string]count `json:"leftOut"`  // by reason
	Differences []difference     `json:"differences"`
}

type count struct {
	Left  int `json:"left"`
	Right int `json:"right"`
}

var errDifferent = errors.New("the sites differ")

// runCompare prints the differences of two sites. errDifferent if there are any.
func runCompare(at layout, o compareOptions) error {
	lab, err := readDescription(at)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var sides [2][]listed
	for i, name := range []string{o.Left, o.Right} {
		one, ok := lab.Sites[name]
		if !ok {
			return fmt.Errorf("no site %q in this lab", name)
		}
		client, err := one.client()
		if err != nil {
			return err
		}
		if sides[i], err = client.everything(ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	c, err := compare(sides[0], sides[1], o)
	if err != nil {
		return err
	}
	if o.asJSON {
		err = json.NewEncoder(os.Stdout).Encode(c)
	} else {
		for _, d := range c.Differences {
			fmt.Println(d)
		}
		total := c.total()
		fmt.Fprintf(os.Stderr, "%d differences; compared %d objects of %s with %d of %s, of %d kinds.\n",
			len(c.Differences), total.Left, o.Left, total.Right, o.Right, len(c.Compared))
	}
	if err == nil && !c.Equal {
		err = errDifferent
	}
	return err
}

func (c comparison) total() count {
	var sum count
	for _, one := range c.Compared {
		sum.Left += one.Left
		sum.Right += one.Right
	}
	return sum
}

// compare takes everything that two sites have. It changes what it is given.
func compare(left, right []listed, o compareOptions) (comparison, error) {
	c := comparison{Compared: map[string]count{}, LeftOut: map[string]count{}, Differences: []difference{}}
	if err := o.sensible(left, right); err != nil {
		return c, err
	}
	a := o.side(left, o.Namespaces, o.Map, &c, func(n *count) { n.Left++ })
	b := o.side(right, o.named(), nil, &c, func(n *count) { n.Right++ })
	for key, one := range a {
		d := difference{Kind: one.kind.name, Namespace: one.namespace(), Name: one.name()}
		other, both := b[key]
		if !both {
			d.What = "missing"
			c.Differences = append(c.Differences, d)
			continue
		}
		d.What = "changed"
		c.differ(d, "", one.body, other.body)
	}
	for key, one := range b {
		if _, both := a[key]; !both {
			c.Differences = append(c.Differences, difference{What: "extra", Kind: one.kind.name, Namespace: one.namespace(), Name: one.name()})
		}
	}
	slices.SortFunc(c.Differences, func(a, b difference) int {
		return strings.Compare(a.Kind+"\x00"+a.place()+"\x00"+a.Path, b.Kind+"\x00"+b.place()+"\x00"+b.Path)
	})
	c.Equal = len(c.Differences) == 0
	return c, nil
}

// sensible refuses a question whose answer would say less than it seems to.
func (o compareOptions) sensible(left, right []listed) error {
	is := func(all []listed, name string) bool {
		return slices.ContainsFunc(all, func(one listed) bool { return one.kind.name == "Namespace" && one.name() == name })
	}
	for _, name := range o.Namespaces {
		if to, ok := o.Map[name]; !is(left, name) && !is(right, name) && (!ok || !is(right, to)) {
			return fmt.Errorf("namespace %s is on neither site", name)
		}
	}
	for from, to := range o.Map {
		if len(o.Namespaces) > 0 && !slices.Contains(o.Namespaces, from) {
			return fmt.Errorf("namespace %s is mapped but is not among the --namespaces", from)
		}
		_, away := o.Map[to]
		if from != to && !away && is(left, to) && (len(o.Namespaces) == 0 || slices.Contains(o.Namespaces, to)) {
			return fmt.Errorf("%s has a namespace %s of its own, so %s cannot stand for it: say --namespaces", o.Left, to, from)
		}
	}
	return nil
}

// named are the namespaces on the right that those on the left stand for.
func (o compareOptions) named() []string {
	var all []string
	for _, name := range o.Namespaces {
		if to, ok := o.Map[name]; ok {
			name = to
		}
		all = append(all, name)
	}
	return all
}

// side brings the objects of one site into a form that the other's can be compared with.
func (o compareOptions) side(all []listed, namespaces []string, to pairs, c *comparison, add func(*count)) map[string]listed {
	tally := func(of map[string]count, key string) {
		n := of[key]
		add(&n)
		of[key] = n
	}
	x := newIndex(all)
	kept := map[string]listed{}
	for _, one := range all {
		reason := o.outside(one, namespaces)
		if reason == "" {
			reason = ownOf(one, x)
		}
		if reason == "" {
			canonical(one, x, o)
			moved(one, to)
			if bare(one) {
				reason = "account that each namespace gets"
			}
		}
		if reason != "" {
			tally(c.LeftOut, reason)
			continue
		}
		tally(c.Compared, one.kind.name)
		kept[one.kind.name+" "+one.namespace()+"/"+one.name()] = one
	}
	return kept
}

// outside says why an object is not asked about.
func (o compareOptions) outside(one listed, namespaces []string) string {
	space := one.namespace()
	if one.kind.name == "Namespace" {
		space = one.name()
	}
	switch {
	case one.kind.among(o.Ignore):
		return "kind ignored"
	case len(namespaces) > 0 && !slices.Contains(namespaces, space):
		return "outside of the namespaces"
	case len(namespaces) == 0 && slices.Contains(siteSpaces, space):
		return "namespace of the control plane"
	}
	return ""
}

// differ adds a difference for each place at which two trees of JSON part. What is null is
// taken as not there; an empty list or map is not.
func (c *comparison) differ(at difference, path string, a, b any) {
	switch left := a.(type) {
	case map[string]any:
		if right, ok := b.(map[string]any); ok {
			keys := map[string]bool{}
			for key := range left {
				keys[key] = true
			}
			for key := range right {
				keys[key] = true
			}
			for _, key := range slices.Sorted(maps.Keys(keys)) {
				c.differ(at, path+step(key), left[key], right[key])
			}
			return
		}
	case []any:
		if right, ok := b.([]any); ok && min(len(left), len(right)) > 0 {
			for i := range max(len(left), len(right)) {
				c.differ(at, fmt.Sprintf("%s[%d]", path, i), item(left, i), item(right, i))
			}
			return
		}
	}
	if !reflect.DeepEqual(a, b) {
		at.Path, at.Left, at.Right = path, a, b
		c.Differences = append(c.Differences, at)
	}
}

func item(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

// step is one key of a path: `.name`, or `["with.dots"]`.
func step(key string) string {
	if strings.ContainsAny(key, ".[]\"/ ") {
		return fmt.Sprintf("[%q]", key)
	}
	return "." + key
}
