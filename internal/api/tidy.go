package api

import (
	"reflect"
	"time"
)

// tidy returns a copy of v in which every list and map that is nil is empty and
// every time is in UTC, as the contract wants JSON. Devices may answer with data
// they share, so v itself stays as it is.
func tidy(v any) any {
	if v == nil {
		return nil
	}
	return tidied(reflect.ValueOf(v)).Interface()
}

func tidied(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 && !v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(tidied(v.Index(i)))
		}
		return out
	case reflect.Map:
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for k, e := range v.Seq2() {
			out.SetMapIndex(k, tidied(e))
		}
		return out
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(tidied(v.Elem()))
		return out
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			return reflect.ValueOf(t.UTC())
		}
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(tidied(v.Field(i)))
			}
		}
		return out
	}
	return v
}
