// The lab: two real Kubernetes control planes with simulated nodes, two real S3 servers
// and a real DNS server, on loopback, for tests and for trying the tool by hand. See README.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const usage = `Usage: lab <command> [flags]

  build                 build the programs that are missing from the cache
  up     --dir D        start a lab in D (builds what is missing, then seeds)
  seed   --dir D [--playbook P]
                        apply the sample application of playbooks/P again (default: shop)
  seed   --dir D --objects N [--site S]
                        make the data set of the benchmarks
  status --dir D        say what runs in D, and how much memory it takes
  down   --dir D        end the lab in D
  ask    --dir D --site S METHOD PATH
                        send one request to a site as the lab's own user
  velero up|down|backup|restore --dir D --site S
                        run a Velero server beside a site; have it work, and measure it
  apart  --reach PORTS [--silent PORTS] -- COMMAND
                        run a command in a network namespace of its own (Linux, root)
  compare --dir D --left S --right S
                        say in what the objects of two sites differ: 0 nothing, 1 something
  bundle NAME           say where a program of Debian's packages is that tests run, fetching it if it is missing
  bench                 measure lifeboat, Velero and bare loops side by side, in labs of its own
  bench-plan            measure how long a plan of 200 steps takes, in a lab of its own
  bench-failover        measure how long the shop's failover takes, in labs of its own

Run "lab <command> -h" for the flags of one command.
`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	err := dispatch(os.Args[1], os.Args[2:])
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case errors.Is(err, errDifferent): // it has been said
		os.Exit(1)
	case os.Args[1] == "compare": // 1 is an answer there
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(2)
	default:
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(1)
	}
}

// dispatch reads the flags of one command and runs it.
func dispatch(command string, args []string) error {
	switch command {
	case "velero":
		return dispatchVelero(args)
	case "compare":
		return dispatchCompare(args)
	case "bench":
		return dispatchBench(args)
	case "bench-plan":
		return dispatchBenchPlan(args)
	case "bench-failover":
		return dispatchBenchFailover(args)
	case "bundle":
		if len(args) != 1 {
			return fmt.Errorf("say which bundle: lab bundle NAME")
		}
		return runBundle(args[0])
	case "keep": // internal: see keep.go
		return runKeep(args)
	case "apart":
		return dispatchApart(args)
	case "apart-inside": // internal: see apart_linux.go
		return runApartInside(args)
	}
	flags := flag.NewFlagSet("lab "+command, flag.ContinueOnError)
	dir := flags.String("dir", "", "the lab's own `folder`")
	repo := flags.String("repo", "", "the checkout (default: found from the working directory upwards)")
	site, objects, playbook := "", 0, ""
	var up upOptions
	switch command {
	case "build":
		flags.Var(&up.without, "without", "leave out a `store`: minio")
	case "up":
		flags.Var(&up.without, "without", "leave out a `store`: minio")
		flags.BoolVar(&up.foreground, "foreground", false, "stay in the foreground until a signal comes")
		flags.BoolVar(&up.untilStdinCloses, "until-stdin-closes", false, "with --foreground: also end when standard input closes")
		flags.BoolVar(&up.noSeed, "no-seed", false, "do not apply the sample application")
		flags.DurationVar(&up.forget, "forget", 0, "have the API servers forget states of objects after twice this `time` (their own choice: 5m)")
		flags.BoolVar(&up.detached, "detached", false, "internal: report progress on file descriptor 3")
	case "ask":
		flags.StringVar(&site, "site", "", "which `site`")
	case "seed":
		flags.IntVar(&objects, "objects", 0, "make this `many` objects of the benchmarks' data set instead of the sample application")
		flags.StringVar(&site, "site", "east", "which `site` they are made on")
		flags.StringVar(&playbook, "playbook", shopPlaybook, "whose sample application: a `folder` of playbooks")
	case "status", "down":
	case "help", "-h", "--help":
		fmt.Print(usage)
		return nil
	default:
		return fmt.Errorf("unknown command %q\n\n%s", command, usage)
	}
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	if command == "ask" && flags.NArg() != 2 {
		return fmt.Errorf("say what to ask: METHOD PATH")
	}
	if command != "ask" && flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if objects < 0 {
		return fmt.Errorf("--objects %d: fewer than none", objects)
	}
	if command == "build" {
		return runBuild(*repo, up.without)
	}
	if *dir == "" {
		return fmt.Errorf("--dir is missing: say which folder the lab may use")
	}
	if up.forget < 0 {
		return fmt.Errorf("--forget %s: less than no time", up.forget)
	}
	if up.untilStdinCloses && !up.foreground {
		return fmt.Errorf("--until-stdin-closes needs --foreground")
	}
	at, err := openLayout(*dir)
	if err != nil {
		return err
	}
	switch command {
	case "up":
		up.repo = *repo
		if up.foreground {
			return runForeground(at, up)
		}
		return runDetached(at, up)
	case "ask":
		return runAsk(at, site, flags.Arg(0), flags.Arg(1))
	case "seed":
		if objects > 0 {
			return runLoad(at, site, objects)
		}
		return runSeed(at, *repo, playbook)
	case "status":
		return runStatus(at)
	default:
		return runDown(at)
	}
}

// dispatchVelero reads the flags of one of the commands that are about Velero.
func dispatchVelero(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("say what about velero: up, down, backup or restore")
	}
	command := args[0]
	flags := flag.NewFlagSet("lab velero "+command, flag.ContinueOnError)
	dir := flags.String("dir", "", "the lab's own `folder`")
	var o veleroOrder
	var work veleroWork
	repo := ""
	flags.StringVar(&o.Site, "site", "", "which `site`")
	switch command {
	case "up":
		flags.StringVar(&repo, "repo", "", "the checkout (default: found from the working directory upwards)")
		flags.StringVar(&o.Store, "store", "", "which `store` of the lab it keeps backups in")
		flags.StringVar(&o.Prefix, "prefix", storePrefix, "where in the store's bucket; the default is where sites.yaml sends lifeboat")
	case "backup":
		flags.StringVar(&work.Backup, "name", "", "the `name` of the new backup")
	case "restore":
		flags.StringVar(&work.Backup, "backup", "", "the `name` of a backup in the store, whoever made it")
		flags.StringVar(&work.Restore, "name", "", "the `name` of the new restore (default: of the backup and the time)")
		flags.Var(&work.Map, "map", "restore namespaces under other names: `a:b,...`")
	case "down":
	default:
		return fmt.Errorf("unknown command \"velero %s\": up, down, backup or restore", command)
	}
	if command == "backup" || command == "restore" {
		flags.Var(&work.Namespaces, "namespaces", "only these `namespaces`: a,b")
		flags.DurationVar(&work.Within, "within", time.Hour, "give up after this `time`")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return flag.ErrHelp
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case *dir == "":
		return fmt.Errorf("--dir is missing: say which folder the lab is in")
	case o.Site == "":
		return fmt.Errorf("--site is missing: east or west")
	case command == "up" && o.Store == "":
		return fmt.Errorf("--store is missing: vault or second")
	case (command == "backup" || command == "restore") && work.Backup == "":
		return fmt.Errorf("say which backup: --name for a new one, --backup for one to restore")
	}
	at, err := openLayout(*dir)
	if err != nil {
		return err
	}
	work.Site = o.Site
	switch command {
	case "up":
		return runVeleroUp(at, repo, o)
	case "down":
		return runVeleroDown(at, o)
	case "backup":
		return work.runBackup(at)
	default:
		return work.runRestore(at)
	}
}

// dispatchCompare reads the flags of the comparer.
func dispatchCompare(args []string) error {
	flags := flag.NewFlagSet("lab compare", flag.ContinueOnError)
	dir := flags.String("dir", "", "the lab's own `folder`")
	var o compareOptions
	flags.StringVar(&o.Left, "left", "east", "the `site` as it should be")
	flags.StringVar(&o.Right, "right", "west", "the `site` as it is")
	flags.Var(&o.Namespaces, "namespaces", "only these `namespaces` of the left site: a,b (default: all, and what is outside of them)")
	flags.Var(&o.Map, "map", "these namespaces have other names on the right: `a:b,...`")
	flags.Var(&o.Ignore, "ignore", "not these `kinds`: Ingress.networking.k8s.io,configmaps")
	flags.Var(&o.Status, "status", "compare the status of these `kinds` too")
	flags.StringVar(&o.owners, "owners", ownersResolved, "owner references by `what`: resolved (who has that uid), by-name, ignore")
	flags.BoolVar(&o.asJSON, "json", false, "print one line of JSON, with the number of objects compared of each kind")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case *dir == "":
		return fmt.Errorf("--dir is missing: say which folder the lab is in")
	case o.Left == o.Right:
		return fmt.Errorf("%s is the same as itself", o.Left)
	case o.owners != ownersResolved && o.owners != ownersByName && o.owners != ownersIgnored:
		return fmt.Errorf("--owners %q: resolved, by-name or ignore", o.owners)
	}
	at, err := openLayout(*dir)
	if err != nil {
		return err
	}
	return runCompare(at, o)
}

// dispatchApart reads the flags of a command that runs apart.
func dispatchApart(args []string) error {
	flags := flag.NewFlagSet("lab apart", flag.ContinueOnError)
	var reach, silent words
	flags.Var(&reach, "reach", "`ports` of this machine's loopback that can be reached: 6443,9000")
	flags.Var(&silent, "silent", "`ports` where connections are taken and nothing is ever answered")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	if flags.NArg() == 0 {
		return fmt.Errorf("say what to run: lab apart --reach 6443 -- COMMAND")
	}
	a := apart{argv: flags.Args()}
	for _, one := range []struct {
		words words
		into  *[]int
	}{{reach, &a.reach}, {silent, &a.silent}} {
		for _, word := range one.words {
			port, err := strconv.Atoi(word)
			if err != nil || port < 1 || port > 65535 {
				return fmt.Errorf("%q is not a port", word)
			}
			*one.into = append(*one.into, port)
		}
	}
	return runApart(a)
}

// words is a flag that takes several values, with commas between them.
type words []string

func (w *words) String() string { return strings.Join(*w, ",") }

func (w *words) Set(value string) error {
	for _, word := range strings.Split(value, ",") {
		if word = strings.TrimSpace(word); word == "" {
			return fmt.Errorf("an empty name in %q", value)
		}
		*w = append(*w, strings.TrimSpace(word))
	}
	return nil
}

// pairs is a flag that takes old names and new ones: a:b,c:d.
type pairs map[string]string

func (p *pairs) String() string { return fmt.Sprint(map[string]string(*p)) }

func (p *pairs) Set(value string) error {
	for _, pair := range strings.Split(value, ",") {
		from, to, ok := strings.Cut(pair, ":")
		if !ok || from == "" || to == "" {
			return fmt.Errorf("%q is not old:new", pair)
		}
		if *p == nil {
			*p = pairs{}
		}
		(*p)[from] = to
	}
	return nil
}

type upOptions struct {
	repo             string
	without          leftOut
	foreground       bool
	untilStdinCloses bool
	noSeed           bool
	forget           time.Duration // how long the API servers remember old states; 0: as they like
	noNames          string        // why there is no name server; found out, not asked for
	detached         bool
}

// leftOut is the repeatable flag --without. Only what a test can do without is allowed.
type leftOut map[string]bool

func (l *leftOut) String() string {
	var names []string
	for name := range *l {
		names = append(names, name)
	}
	return strings.Join(names, ",")
}

func (l *leftOut) Set(value string) error {
	for _, name := range strings.Split(value, ",") {
		if name != "minio" {
			return fmt.Errorf("cannot leave out %q: only minio", name)
		}
		if *l == nil {
			*l = leftOut{}
		}
		(*l)[name] = true
	}
	return nil
}
