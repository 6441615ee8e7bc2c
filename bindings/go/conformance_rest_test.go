// The conformance list of bindings/conformance.md, C09 to C16.

package bitnet

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestC09Streaming(t *testing.T) {
	session := open(t, load(t), nil)
	want := write(t, session, greedy(48))

	var pieces strings.Builder
	result, err := session.Stream(context.Background(), onceUponATime, greedy(48), func(step Step) error {
		pieces.WriteString(step.Text)
		return nil
	})
	if err != nil || pieces.String() != want || result.Text != want {
		t.Errorf("pieces %q, text %q, want %q (%v)", pieces.String(), result.Text, want, err)
	}

	generation, err := session.NewGeneration(onceUponATime, greedy(48))
	if err != nil {
		t.Fatal(err)
	}
	defer generation.Close()
	taken := 0
	generation.Steps(context.Background())(func(step Step, err error) bool {
		taken++
		return err == nil && taken < 5
	})
	if partial, err := generation.Result(); err != nil || taken != 5 || len(partial.Tokens) != 5 {
		t.Errorf("%d steps, %+v, %v", taken, partial, err)
	}

	stream, err := session.OpenStream(context.Background(), onceUponATime, greedy(48))
	if err != nil {
		t.Fatal(err)
	}
	pieces.Reset()
	for step := range stream.Steps() {
		pieces.WriteString(step.Text)
	}
	if result, err := stream.Wait(); err != nil || result.Text != want || pieces.String() != want {
		t.Errorf("pieces %q, want %q (%v)", pieces.String(), want, err)
	}

	long := greedy(-1)
	long.Sampler.LogitBias = endForbidden(t)
	stream, err = session.OpenStream(context.Background(), onceUponATime, long)
	if err != nil {
		t.Fatal(err)
	}
	<-stream.Steps()
	if err := stream.Close(); err != nil {
		t.Errorf("leaving early: %v", err)
	}
	if result, err := stream.Wait(); err != nil || len(result.Tokens) > 100 {
		t.Errorf("after leaving: %d tokens, %v", len(result.Tokens), err)
	}
	result, err = session.Stream(context.Background(), onceUponATime, long, func(Step) error { return ErrStop })
	if err != nil || len(result.Tokens) != 1 {
		t.Errorf("ErrStop: %+v, %v", result, err)
	}
	if got := write(t, session, greedy(48)); got != want {
		t.Errorf("afterwards the context writes %q", got)
	}
}

func TestC10Chat(t *testing.T) {
	model := load(t)
	tokenizer, err := model.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	template, err := tokenizer.NewChatTemplate("", "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"+
		"{% if add_generation_prompt %}assistant:{% endif %}")
	if err != nil {
		t.Fatal(err)
	}
	defer template.Close()
	talk := Conversation{Messages: []Message{{"system", "Tell stories."}, {"user", "Once \"upon\" a time 🎉"}}}
	text, err := template.Render(talk)
	if want := "system: Tell stories.\nuser: Once \"upon\" a time 🎉\nassistant:"; err != nil || text != want {
		t.Errorf("rendered %q, want %q (%v)", text, want, err)
	}
	tokens, err := template.Encode(talk)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := tokenizer.Decode(tokens, 0); err != nil || back != text {
		t.Errorf("encoded %q, %v", back, err)
	}
	name, _ := template.Name()
	if source, _ := template.Source(); name != "jinja" || !strings.HasPrefix(source, "{% for m") {
		t.Errorf("name %q, source %q", name, source)
	}
	var pieces strings.Builder
	result, err := open(t, model, nil).Chat(context.Background(), template, talk, greedy(24), func(step Step) error {
		pieces.WriteString(step.Text)
		return nil
	})
	if err != nil || result.Text == "" || pieces.String() != result.Text || result.PromptTokens != len(tokens) {
		t.Errorf("answer %+v, %v", result, err)
	}
	_, err = tokenizer.NewChatTemplate("", "{% for %}")
	wantError(t, err, ErrConfig, FamilyConfig)
}

func TestC11Embeddings(t *testing.T) {
	session := open(t, load(t), &ContextParams{Size: 128, Threads: 1, Embeddings: true})
	embed := func(text string, normalize bool) []float32 {
		vector, err := session.Embed(context.Background(), text, PoolingMean, normalize)
		if err != nil {
			t.Fatal(err)
		}
		return vector
	}
	length := func(v []float32) (sum float64) {
		for _, x := range v {
			sum += float64(x) * float64(x)
		}
		return math.Sqrt(sum)
	}
	cat, dog, again := embed("The cat sat.", true), embed("A dog ran away!", true), embed("The cat sat.", true)
	same, other := true, false
	for i := range cat {
		same = same && math.Float32bits(cat[i]) == math.Float32bits(again[i])
		other = other || cat[i] != dog[i]
	}
	if !same || !other || len(cat) != 256 {
		t.Errorf("same text same vector: %v, other text other vector: %v, width %d", same, other, len(cat))
	}
	if l := length(cat); math.Abs(l-1) > 1e-5 {
		t.Errorf("normalised length %v", l)
	}
	if l := length(embed("The cat sat.", false)); math.Abs(l-1) < 1e-3 {
		t.Errorf("length %v without normalising", l)
	}
	if end, err := session.SequenceEnd(0); end != 0 || err != nil {
		t.Errorf("Embed left %d tokens (%v)", end, err)
	}
	_, err := open(t, load(t), nil).Embed(context.Background(), "text", PoolingLast, true)
	wantError(t, err, ErrState)
}

func TestC12UseAfterClose(t *testing.T) {
	model := load(t)
	session := open(t, model, nil)
	tokenizer, _ := model.Tokenizer()
	grammar, err := tokenizer.NewGrammar(`root ::= "a"`, "")
	if err != nil {
		t.Fatal(err)
	}
	sampler, _ := NewSampler(nil)
	template, _ := tokenizer.NewChatTemplate("", "text")
	generation, _ := session.NewGeneration(onceUponATime, nil)
	for _, object := range []interface{ Close() error }{model, session, tokenizer, grammar, sampler, template, generation} {
		object.Close()
	}
	uses := map[string]func() error{
		"model":         func() error { _, err := model.Info(); return err },
		"context":       func() error { return session.SequenceKeep(0) },
		"tokenizer":     func() error { _, err := tokenizer.Encode("a", 0); return err },
		"grammar":       func() error { return sampler.SetGrammar(grammar) },
		"sampler":       func() error { return sampler.Reset() },
		"chat template": func() error { _, err := template.Name(); return err },
		"generation":    func() error { _, err := generation.Result(); return err },
		"never made":    func() error { return new(Context).Cancel() },
	}
	for name, use := range uses {
		if err := use(); !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Closing from within a step is taken at its end; the loop then finds a closed context.
	session = open(t, load(t), nil)
	_, err = session.Stream(context.Background(), onceUponATime, greedy(8), func(Step) error { return session.Close() })
	wantError(t, err, ErrClosed)
}

func TestC13BadInput(t *testing.T) {
	model := load(t)
	session := open(t, model, nil)
	tokenizer, _ := model.Tokenizer()
	ctx := context.Background()

	_, err := LoadModel("a\x00b.gguf", nil)
	wantError(t, err, ErrArgument, FamilyUsage)
	stop := greedy(4)
	stop.Stop = []string{"a\x00b"}
	_, err = session.Generate(ctx, onceUponATime, stop)
	wantError(t, err, ErrArgument)
	for _, text := range []string{"a\x00b", "\xff\xfe\x80", "\xf0\x9f"} {
		tokens, err := tokenizer.Encode(text, 0)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := tokenizer.Decode(tokens, 0); err != nil || back != text {
			t.Errorf("%q came back as %q, %v", text, back, err)
		}
		if _, err := session.Generate(ctx, text, greedy(2)); err != nil {
			t.Error(err)
		}
	}
	if result, err := session.Generate(ctx, "", greedy(4)); err != nil || result.PromptTokens != 1 {
		t.Errorf("empty prompt: %+v, %v", result, err) // BOS is put there
	}
	huge := greedy(math.MaxInt64)
	if result, err := session.Generate(ctx, onceUponATime, huge); err == nil {
		if result.Finish != FinishEnd && result.Finish != FinishContextFull {
			t.Errorf("huge: ended by %v", result.Finish)
		}
	} else {
		wantError(t, err, FamilyCapacity)
	}
	for name, params := range map[string]*GenerateParams{"max": {MaxTokens: -5}, "logprobs": {Logprobs: -1},
		"sequence": {Sequence: -1}, "far": {Sequence: 1 << 40}} {
		if _, err := session.Generate(ctx, onceUponATime, params); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	_, err = model.NewContext(&ContextParams{Size: -1})
	wantError(t, err, ErrConfig)
	p := GreedyParams()
	p.TopP = float32(math.NaN())
	_, err = NewSampler(&p)
	wantError(t, err, ErrConfig)
	_, err = tokenizer.Decode([]Token{-1}, 0)
	wantError(t, err, ErrToken, FamilyTokenization)
	wantError(t, session.DecodeTokens(ctx, 0, []Token{1 << 30}), ErrToken)
	wantError(t, session.SequenceLoad(0, nil), ErrState)
	_, err = session.Generate(ctx, strings.Repeat("a long prompt ", 1000), nil)
	wantError(t, err, ErrKVFull)
	_, err = Argmax(nil)
	wantError(t, err, ErrArgument)
	_, err = tokenizer.NewJSONGrammar("{")
	wantError(t, err, ErrConfig)
	wantError(t, session.Decode(ctx, Batch{Tokens: []Token{1, 2}, Sequences: []int32{0}}), ErrArgument)
}

func TestC14Version(t *testing.T) {
	if err := CheckVersion(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		header, library uint32
		fits            bool
	}{{100, 100, true}, {100, 107, true}, {107, 100, false}, {100, 200, false}, {200, 100, false}, {100, 10000, false},
		{10000, 10000, true}, {10000, 10203, true}, {10203, 10000, false}, {10000, 20000, false}} {
		err := versionError(c.header, c.library)
		if (err == nil) != c.fits {
			t.Errorf("header %d, library %d: %v", c.header, c.library, err)
		}
	}
	err := versionError(100, 10203)
	if !strings.Contains(err.Error(), "0.1.0") || !strings.Contains(err.Error(), "1.2.3") {
		t.Error(err)
	}
	if !strings.HasPrefix(BuildInfo(), "bitnet "+Version()) && !strings.Contains(BuildInfo(), Version()) {
		t.Errorf("version %q, build %q", Version(), BuildInfo())
	}
}

func TestC15Sessions(t *testing.T) {
	model := load(t)
	ctx := context.Background()
	first := open(t, model, nil)
	whole, err := first.Generate(ctx, onceUponATime, greedy(40))
	if err != nil {
		t.Fatal(err)
	}
	begin, err := first.Generate(ctx, onceUponATime, greedy(20))
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := first.SequenceTokens(0)
	if err != nil {
		t.Fatal(err)
	}
	data, err := first.SaveSession()
	if err != nil {
		t.Fatal(err)
	}
	one, err := first.SequenceSave(0)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "saved.session")
	if err := first.SaveSessionFile(file, nil); err != nil {
		t.Fatal(err)
	}
	prompt := append(append([]Token(nil), tokens...), begin.Tokens[len(begin.Tokens)-1])
	restores := map[string]func(*Context) error{
		"bytes":    func(c *Context) error { return c.LoadSession(data) },
		"sequence": func(c *Context) error { return c.SequenceLoad(0, one) },
		"file":     func(c *Context) error { return c.LoadSessionFile(file, nil) },
	}
	for name, restore := range restores {
		second := open(t, model, nil)
		if err := restore(second); err != nil {
			t.Fatal(name, err)
		}
		result, err := second.StreamTokens(ctx, prompt, greedy(20), nil)
		if err != nil || begin.Text+result.Text != whole.Text {
			t.Errorf("%s: %q went on with %+v, want %q (%v)", name, begin.Text, result, whole.Text, err)
		} else if result.ReusedTokens < len(tokens)-1 {
			t.Errorf("%s: %d tokens were not computed again, of %d", name, result.ReusedTokens, len(tokens))
		}
	}
	data[len(data)/2] ^= 1
	wantError(t, first.LoadSession(data), ErrState)
	thrown := errors.New("no")
	wantError(t, first.SaveSessionFile(file, func(float64) error { return thrown }), thrown, ErrCancelled)
}

func residentBytes(t *testing.T) int {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("the size of the process is not known here: ", err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(data))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

func TestC16Memory(t *testing.T) {
	runtime.GC()
	time.Sleep(10 * time.Millisecond)
	used := MemoryUsed()
	round := func(closing bool) {
		model, err := LoadModel(modelPath(), &ModelParams{OnProgress: func(float64) error { return nil }, Threads: 1,
			SkipWeightCheck: true})
		if err != nil {
			t.Fatal(err)
		}
		session, err := model.NewContext(&ContextParams{Size: 64, Threads: 1, OnProgress: func(float64) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		tokenizer, err := model.Tokenizer()
		if err != nil {
			t.Fatal(err)
		}
		generation, err := session.NewGeneration(onceUponATime, greedy(2))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := generation.Next(context.Background()); err != nil {
			t.Fatal(err)
		}
		_, _ = LoadModel("missing.gguf", nil)
		if closing {
			model.Close()
			session.Close()
			tokenizer.Close()
			generation.Close()
		}
	}
	for i := 0; i < 20; i++ {
		round(true)
	}
	runtime.GC()
	before := residentBytes(t)
	for i := 0; i < 200; i++ {
		round(true)
	}
	runtime.GC()
	if grown := residentBytes(t) - before; grown > 8<<20 {
		t.Errorf("200 rounds left %d bytes", grown)
	}
	if now := MemoryUsed(); now > used {
		t.Errorf("models and contexts hold %d bytes, before %d", now, used)
	}
	// What nobody closes, the garbage collector does, in several rounds: a context is let go before its model.
	for i := 0; i < 5; i++ {
		round(false)
	}
	for i := 0; i < 100 && MemoryUsed() > used; i++ {
		runtime.GC()
		time.Sleep(5 * time.Millisecond)
	}
	if now := MemoryUsed(); now > used {
		t.Errorf("the garbage collector left %d bytes, before %d", now, used)
	}
}
