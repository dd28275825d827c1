// Go's own text/template, as consul-template gives it secrets: it reads templates as JSON from
// stdin, and writes what each becomes, or that Go does not take it.
package main

import (
	"encoding/json"
	"os"
	"strings"
	"text/template"
)

type secret struct{ Data map[string]any }

// the database engine answers with keys at the top, version 2 of the key-value engine with `data`
func read(path string) *secret {
	keys := map[string]any{"username": "user of " + path, "password": `p"'<&\{{}} of ` + path}
	if strings.Contains(path, "/creds/") {
		return &secret{keys}
	}
	return &secret{map[string]any{"data": keys}}
}

type outcome struct {
	Template string  `json:"template"`
	Output   *string `json:"output"`
}

func outcomeOf(text string) outcome {
	functions := template.FuncMap{"secret": read}
	parsed, err := template.New("file").Funcs(functions).Parse(text)
	if err != nil {
		return outcome{text, nil}
	}
	var output strings.Builder
	if err := parsed.Execute(&output, nil); err != nil {
		return outcome{text, nil}
	}
	written := output.String()
	return outcome{text, &written}
}

func main() {
	var templates []string
	if err := json.NewDecoder(os.Stdin).Decode(&templates); err != nil {
		panic(err)
	}
	outcomes := []outcome{}
	for _, each := range templates {
		outcomes = append(outcomes, outcomeOf(each))
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(outcomes); err != nil {
		panic(err)
	}
}
