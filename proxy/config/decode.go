package config

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Decode fills a Config, over Defaults, from the merged settings of file, environment and flags. Keys may have any
// case. Strings are read as what the key needs, so that the environment can say all of it: numbers, durations, lists
// ("a,b"), and sections as YAML ("[{name: x, ...}]"). Errors are *Fault, joined; the Config holds what could be read.
func Decode(settings map[string]any) (*Config, error) {
	c := Defaults()
	var d decoder
	d.value("", reflect.ValueOf(&c).Elem(), settings)
	return &c, join(d.faults)
}

// Paths lists every key of the configuration outside lists ("node", "admin.socket", "platforms.legacy.targets"), for
// binding environment variables.
func Paths() []string {
	var out []string
	var walk func(string, reflect.Type)
	walk = func(path string, t reflect.Type) {
		for i := range t.NumField() {
			f := t.Field(i)
			p := dot(path, f.Tag.Get("mapstructure"))
			if f.Type.Kind() == reflect.Struct {
				walk(p, f.Type)
			} else {
				out = append(out, p)
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
	return out
}

type decoder struct{ faults []*Fault }

func (d *decoder) fault(path, problem, fix string) {
	d.faults = append(d.faults, &Fault{Path: cmp.Or(path, "(file)"), Problem: problem, Fix: fix})
}

func (d *decoder) value(path string, v reflect.Value, in any) {
	if in == nil { // a key without a value: the default stays
		return
	}
	if s, ok := in.(string); ok && v.Kind() != reflect.String {
		d.text(path, v, s)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		m, ok := in.(map[string]any)
		if !ok {
			d.fault(path, "is not a section", "write keys below it, indented")
			return
		}
		d.section(path, v, m)
	case reflect.Slice:
		list, ok := in.([]any)
		if !ok {
			d.slice(path, v, in)
			return
		}
		out := reflect.MakeSlice(v.Type(), len(list), len(list))
		for i, e := range list {
			d.value(fmt.Sprintf("%s[%d]", path, i), out.Index(i), e)
		}
		v.Set(out)
	default:
		d.scalar(path, v, in)
	}
}

// slice takes the typed slices that a caller (viper with defaults or flags) may hold.
func (d *decoder) slice(path string, v reflect.Value, in any) {
	if list, ok := in.([]string); ok && v.Type().Elem().Kind() == reflect.String {
		v.Set(reflect.ValueOf(slices.Clone(list)))
		return
	}
	d.fault(path, "is not a list", "write [a, b] or a line with - for each")
}

func (d *decoder) section(path string, v reflect.Value, m map[string]any) {
	known := make([]string, v.NumField())
	for i := range v.NumField() {
		known[i] = v.Type().Field(i).Tag.Get("mapstructure")
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		i := slices.IndexFunc(known, func(n string) bool { return strings.EqualFold(n, k) })
		if i < 0 {
			d.fault(dot(path, k), "is not a key of the configuration", "did you mean "+dot(path, nearest(k, known))+"?")
			continue
		}
		d.value(dot(path, known[i]), v.Field(i), m[k])
	}
}

func (d *decoder) scalar(path string, v reflect.Value, in any) {
	rv := reflect.ValueOf(in)
	_, isDuration := in.(time.Duration)
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		if isDuration || rv.CanInt() && rv.Int() == 0 {
			v.SetInt(rv.Int())
			return
		}
		d.fault(path, fmt.Sprintf("%v has no unit", in), "write a duration such as 500ms, 10s or 2m")
	case v.CanInt() && rv.CanInt():
		v.SetInt(rv.Int())
	case v.CanInt() && rv.CanUint() && rv.Uint() <= 1<<62:
		v.SetInt(int64(rv.Uint()))
	case v.CanInt():
		d.fault(path, fmt.Sprintf("%v is not a whole number", in), "write digits only")
	case v.Kind() == reflect.Bool && rv.Kind() == reflect.Bool:
		v.SetBool(rv.Bool())
	case v.Kind() == reflect.Bool:
		d.fault(path, fmt.Sprintf("%v is neither true nor false", in), "write true or false")
	case rv.Kind() == reflect.String, rv.CanInt(), rv.CanUint():
		v.SetString(fmt.Sprint(in))
	default:
		d.fault(path, "is not a text", "write one value, in quotes if it has : or # in it")
	}
}

// text reads a string where something else is wanted: that is what the environment has.
func (d *decoder) text(path string, v reflect.Value, s string) {
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		n, err := time.ParseDuration(s)
		if err != nil {
			d.fault(path, quote(s)+" is not a duration", "write one such as 500ms, 10s or 2m")
			return
		}
		v.SetInt(int64(n))
	case v.CanInt():
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			d.fault(path, quote(s)+" is not a whole number", "write digits only")
			return
		}
		v.SetInt(n)
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			d.fault(path, quote(s)+" is neither true nor false", "write true or false")
			return
		}
		v.SetBool(b)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.String && !(strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]")):
		var list []string
		for e := range strings.SplitSeq(s, ",") {
			if e = strings.TrimSpace(e); e != "" {
				list = append(list, e)
			}
		}
		v.Set(reflect.ValueOf(list))
	default:
		var in any
		if err := yaml.Unmarshal([]byte(s), &in); err != nil {
			d.fault(path, quote(s)+" is not YAML", "write it as [{key: value, ...}]")
			return
		}
		if _, still := in.(string); still {
			d.fault(path, quote(s)+" is not a section or list", "write it as {key: value} or [{key: value}]")
			return
		}
		d.value(path, v, in)
	}
}

func dot(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
