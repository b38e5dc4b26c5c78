package guest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tetratelabs/wazero/api"
)

// parseArgs reads the arguments of the export called name by its signature: decimal or 0x
// integers, signed or unsigned, and decimal floats.
func parseArgs(name string, d api.FunctionDefinition, args []string) ([]uint64, error) {
	types := d.ParamTypes()
	if len(args) != len(types) {
		return nil, fmt.Errorf("%s takes %d arguments %s, not %d", name, len(types), signature(d), len(args))
	}
	out := make([]uint64, len(args))
	for i, a := range args {
		v, ok := parseArg(types[i], a)
		if !ok {
			return nil, fmt.Errorf("argument %d of %s%s is no %s: %q", i+1, name, signature(d), api.ValueTypeName(types[i]), a)
		}
		out[i] = v
	}
	return out, nil
}

func parseArg(t api.ValueType, a string) (uint64, bool) {
	switch t {
	case api.ValueTypeI32:
		if v, err := strconv.ParseInt(a, 0, 32); err == nil {
			return api.EncodeI32(int32(v)), true
		}
		v, err := strconv.ParseUint(a, 0, 32)
		return v, err == nil
	case api.ValueTypeI64:
		if v, err := strconv.ParseInt(a, 0, 64); err == nil {
			return api.EncodeI64(v), true
		}
		v, err := strconv.ParseUint(a, 0, 64)
		return v, err == nil
	case api.ValueTypeF32:
		v, err := strconv.ParseFloat(a, 32)
		return api.EncodeF32(float32(v)), err == nil
	case api.ValueTypeF64:
		v, err := strconv.ParseFloat(a, 64)
		return api.EncodeF64(v), err == nil
	}
	return 0, false // references have no text form
}

// formatResults prints the results of an export, one to a line.
func formatResults(d api.FunctionDefinition, results []uint64) []byte {
	var b []byte
	for i, t := range d.ResultTypes() {
		switch t {
		case api.ValueTypeI32:
			b = strconv.AppendInt(b, int64(api.DecodeI32(results[i])), 10)
		case api.ValueTypeI64:
			b = strconv.AppendInt(b, int64(results[i]), 10)
		case api.ValueTypeF32:
			b = strconv.AppendFloat(b, float64(api.DecodeF32(results[i])), 'g', -1, 32)
		case api.ValueTypeF64:
			b = strconv.AppendFloat(b, api.DecodeF64(results[i]), 'g', -1, 64)
		default:
			b = append(b, api.ValueTypeName(t)...)
		}
		b = append(b, '\n')
	}
	return b
}

// signature returns the parameter and result types, as in "(i32, i64) -> f64".
func signature(d api.FunctionDefinition) string {
	names := func(ts []api.ValueType) string {
		s := make([]string, len(ts))
		for i, t := range ts {
			s[i] = api.ValueTypeName(t)
		}
		return strings.Join(s, ", ")
	}
	out := "(" + names(d.ParamTypes()) + ")"
	if r := d.ResultTypes(); len(r) > 0 {
		out += " -> " + names(r)
	}
	return out
}

func joinSorted(names []string) string {
	slices.Sort(names)
	return strings.Join(names, ", ")
}
