package chat7sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// spelling is a text as the source writes it, and what it stands for.
type spelling struct {
	raw   string
	json  []byte // raw as a JSON string
	clean string
}

// spellings gives every raw text one number: namesakes who are spelt alike
// cannot be told apart, as at the source.
type spellings struct {
	all    []spelling
	byText map[string]int
}

func (s *spellings) add(raw, clean string) int {
	if i, ok := s.byText[raw]; ok {
		return i
	}
	if s.byText == nil {
		s.byText = map[string]int{}
	}
	i := len(s.all)
	s.byText[raw] = i
	s.all = append(s.all, spelling{raw, appendString(nil, raw), clean})
	return i
}

// agent is one person, the bot, or nobody.
type agent struct{ first, second int } // spellings

// code is a typification.
type code struct {
	spelling    int
	description []byte // JSON; nil: none
}

// roster is who works in an operation, and with which codes.
type roster struct {
	agentNames, codeNames spellings
	agents                []agent
	codes                 []code
	codeWeights           []float64 // cumulative
}

var (
	givenNames = []string{"María José", "Andrés", "Sofía", "Julián", "Camila", "Óscar", "Ángela", "Íngrid", "Luis Ángel",
		"Natalia", "Jhon Jairo", "Yésica", "Héctor", "Lucía", "Germán", "Mónica", "Iván", "Begoña"}
	surnames = []string{"Muñoz", "Pérez", "Núñez", "Gómez", "Peña", "Rodríguez", "Ibáñez", "Restrepo", "Cañón",
		"Ávila", "Zúñiga", "Quiñones", "Güechá", "Araújo", "Ordóñez", "Vélez", "D'Achiardi", "Díaz & Díaz"}
	areas = []string{"", "", "COM-", "COM-", "SAC-", "COBRANZA - "}
)

// stockCodes come first, the busiest ones among them.
var stockCodes = []struct {
	code, description string
	weight            float64
}{
	{"TIMEOUTCHAT", "Cierre por inactividad", 60},
	{"Acuerdo_de_Pago", "Acuerdo de pago", 8},
	{"", "", 3},
	{"0012", "Información general", 6},
	{"TIMEOUTACW", "Cierre por tiempo de ACW", 4},
	{"Solución en línea", "Solución en línea", 5},
	{"-", "", 1},
	{"AGENT-INITIATED", "Iniciada por el agente", 2},
	{"ACUERDO_DE_PAGO", "Acuerdo de pago (anterior)", 1},
	{"12", "Doce, sin ceros", 1},
	{"9999", "Otros", 3},
	{"Petición/Queja", "Petición, queja o reclamo", 2},
	{"solución en línea", "Solución (minúsculas)", 1},
	{"Cobro & recaudo", "Cobro & recaudo", 1},
	{"Señal \"débil\"", "Señal de internet débil", 1},
	{"000", "Ninguna", 1},
	{"No contesta", "No contesta", 2},
	{"Año nuevo", "Campaña de año nuevo", 1},
}

// newRoster draws an operation's people and codes. Who they are depends on
// the seed alone, how they are spelt on the faults as well.
func newRoster(seed uint64, o Operation) *roster {
	people := rand.New(rand.NewPCG(seed, labelPeople))
	odd := rand.New(rand.NewPCG(seed, labelSpelling))
	r := &roster{}
	names := make([]string, o.Agents)
	for i := range names {
		switch i {
		case 0:
			names[i] = "Bot Wolki"
		case 1:
			names[i] = ""
		case 4:
			names[i] = names[3] // two people, one name
		default:
			names[i] = norm.NFC.String(pick(people, areas) + pick(people, givenNames) + " " + pick(people, surnames) + " " + pick(people, surnames))
		}
	}
	for _, name := range names {
		texts := oddities(name)
		odd.Shuffle(len(texts), func(i, j int) { texts[i], texts[j] = texts[j], texts[i] })
		if odd.Float64() >= float64(o.Faults.OddNames) {
			texts = slices.Insert(texts, 0, name)
		}
		r.agents = append(r.agents, agent{r.agentNames.add(texts[0], name), r.agentNames.add(texts[1], name)})
	}
	total := 0.0
	for i := range o.Codes {
		name, description, weight := fmt.Sprintf("T%04d", i), fmt.Sprintf("Tipificación %d", i), 0.5
		if i < len(stockCodes) {
			s := stockCodes[i]
			name, description, weight = norm.NFC.String(s.code), s.description, s.weight
		}
		raw := name
		if odd.Float64() < float64(o.Faults.OddNames) {
			raw = pick(odd, oddities(name))
		}
		c := code{spelling: r.codeNames.add(raw, name)}
		if odd.Float64() >= float64(o.Faults.NoDescription) {
			c.description = appendString(nil, description)
		}
		r.codes = append(r.codes, c)
		total += weight
		r.codeWeights = append(r.codeWeights, total)
	}
	return r
}

// code draws a typification's number.
func (r *roster) code(rng *rand.Rand) int {
	at := rng.Float64() * r.codeWeights[len(r.codeWeights)-1]
	i, _ := slices.BinarySearch(r.codeWeights, at)
	return min(i, len(r.codes)-1)
}

// agent draws a number: the bot often, nobody rarely, some people more than others.
func (r *roster) agent(rng *rand.Rand) int {
	n := len(r.agents)
	switch u := rng.Float64(); {
	case n <= 2:
		return rng.IntN(n)
	case u < 0.2:
		return 0
	case u < 0.23:
		return 1
	}
	u := rng.Float64()
	return 2 + int(u*(0.4+0.6*u)*float64(n-2))
}

var entities = strings.NewReplacer("&", "&amp;", "á", "&aacute;", "é", "&eacute;", "í", "&iacute;", "ó", "&oacute;",
	"ú", "&uacute;", "ñ", "&ntilde;", "Ó", "&#211;", "Á", "&#xC1;", "ü", "&uuml;", "\"", "&quot;", "'", "&#039;")

// oddities are at least two ways of spelling clean that are neither it nor
// each other, and that normalise to it.
func oddities(clean string) []string {
	all := []string{clean + " ", " " + clean, clean + "\u200b", clean + "\r\n"}
	if s := norm.NFD.String(clean); s != clean {
		all = append(all, s, s)
	}
	if s := entities.Replace(clean); s != clean {
		all = append(all, s)
	}
	if strings.Contains(clean, " ") {
		all = append(all, strings.Replace(clean, " ", "  ", 1), strings.Replace(clean, " ", "\t", 1))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }
