// The conformance list of bindings/conformance.md, C01 to C08, with the default model.

package bitnet

import (
	"context"
	"errors"
	"log"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

const onceUponATime = "Once upon a time"

// fromEnvironment is what CMake says, or what lies in a checkout.
func fromEnvironment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	path, _ := filepath.Abs(otherwise)
	return path
}

func modelPath() string {
	return fromEnvironment("BITNET_MODEL", "../../examples/stories/stories.gguf")
}

func load(t testing.TB) *Model {
	t.Helper()
	model, err := LoadModel(modelPath(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { model.Close() })
	return model
}

func open(t testing.TB, model *Model, params *ContextParams) *Context {
	t.Helper()
	if params == nil {
		params = &ContextParams{Size: 512, Threads: 1}
	}
	session, err := model.NewContext(params)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

func greedy(n int) *GenerateParams {
	p := GreedyParams()
	return &GenerateParams{MaxTokens: n, Sampler: &p}
}

func write(t testing.TB, session *Context, params *GenerateParams) string {
	t.Helper()
	result, err := session.Generate(context.Background(), onceUponATime, params)
	if err != nil {
		t.Fatal(err)
	}
	return result.Text
}

func wantError(t testing.TB, err error, targets ...error) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %v", targets)
	}
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Fatalf("error %q is not %q", err, target)
		}
	}
}

func TestC01MissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no such model.gguf")
	_, err := LoadModel(path, nil)
	wantError(t, err, ErrFileNotFound, FamilyIO)
	if errors.Is(err, ErrIO) || errors.Is(err, FamilyModel) {
		t.Error("the error is also what it is not")
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%T is no *Error", err)
	}
	if e.Name() != "BITNET_E_FILE_NOT_FOUND" || e.Family().Name() != "Io" || e.Operation != "bitnet_model_load" {
		t.Errorf("name %q, family %q, operation %q", e.Name(), e.Family().Name(), e.Operation)
	}
	if !strings.Contains(e.Message, path) || !strings.Contains(err.Error(), path) || e.File != path {
		t.Errorf("the path %q is not in %q, or not the file %q", path, e.Message, e.File)
	}
	if len(e.Suggestions) == 0 || !strings.Contains(e.UserMessage, e.Suggestions[0]) {
		t.Errorf("suggestions %q, for people %q", e.Suggestions, e.UserMessage)
	}
	if !strings.Contains(e.JSON, `"bitnet-error/1"`) || !strings.Contains(e.Report, "BITNET_E_FILE_NOT_FOUND") {
		t.Errorf("JSON %q, report %q", e.JSON, e.Report)
	}
}

func TestC02RoundTrip(t *testing.T) {
	tokenizer, err := load(t).Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	defer tokenizer.Close()
	for _, text := range []string{"", "Once upon a time, there was a cat.", "Füchse, garçons, naïve", "你好，世界", "👩‍👩‍👧 🎉!",
		strings.Repeat("a long text ", 500)} {
		tokens, err := tokenizer.Encode(text, 0)
		if err != nil {
			t.Fatal(err)
		}
		back, err := tokenizer.Decode(tokens, TextStart)
		if err != nil || back != text {
			t.Errorf("%q came back as %q (%v)", text, back, err)
		}
	}
}

// The same calls in C, compiled against the same header and library.
const greedyProgram = `
#include <stdio.h>
#include <string.h>
#include "bitnet.h"
int main(int argc, char **argv) {
    bitnet_sampler_params sampler = bitnet_sampler_default_params();
    sampler.temperature = 0;
    bitnet_generation_params params = bitnet_generation_default_params();
    params.max_new_tokens = 48;
    params.sampler = &sampler;
    bitnet_model *model;
    bitnet_context *context;
    bitnet_generation *generation;
    bitnet_generation_result result;
    result.struct_size = sizeof result;
    if (argc != 3 || bitnet_model_load(argv[1], NULL, &model) || bitnet_context_create(model, NULL, &context) ||
        bitnet_generate(context, 0, argv[2], strlen(argv[2]), &params, NULL, NULL, &generation) ||
        bitnet_generation_get_result(generation, &result)) return 1;
    fwrite(result.text, 1, result.n_bytes, stdout);
    return 0;
}
`

func TestC03GreedyText(t *testing.T) {
	library := os.Getenv("BITNET_LIBRARY")
	if library == "" {
		t.Skip("BITNET_LIBRARY does not say where the library is: nothing to compare with")
	}
	folder := t.TempDir()
	source, program := filepath.Join(folder, "greedy.c"), filepath.Join(folder, "greedy")
	if err := os.WriteFile(source, []byte(greedyProgram), 0o600); err != nil {
		t.Fatal(err)
	}
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	compile := exec.Command(compiler, "-I"+fromEnvironment("BITNET_INCLUDE", "../.."), "-o", program, source, library,
		"-Wl,-rpath,"+filepath.Dir(library))
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, err := exec.Command(program, modelPath(), onceUponATime).Output()
	if err != nil || len(want) == 0 {
		t.Fatalf("the C program wrote %q, %v", want, err)
	}
	if got := write(t, open(t, load(t), nil), greedy(48)); got != string(want) {
		t.Errorf("Go wrote %q, C %q", got, want)
	}
}

func TestC04StopSequence(t *testing.T) {
	session := open(t, load(t), nil)
	whole := write(t, session, greedy(48))
	stop := whole[len(whole)/2 : len(whole)/2+5]
	params := greedy(48)
	params.Stop = []string{"not in any story", stop}
	result, err := session.Generate(context.Background(), onceUponATime, params)
	if err != nil {
		t.Fatal(err)
	}
	if want := whole[:strings.Index(whole, stop)]; result.Text != want {
		t.Errorf("text %q, want %q", result.Text, want)
	}
	if result.Finish != FinishStopSequence || result.StopSequence != 1 || result.Finish.String() != "stop_sequence" {
		t.Errorf("ended by %v, stop sequence %d", result.Finish, result.StopSequence)
	}
}

func TestC05CancelFromAnotherThread(t *testing.T) {
	session := open(t, load(t), nil)
	want := write(t, session, greedy(16))
	long := greedy(-1)
	long.Sampler.LogitBias = endForbidden(t)

	// Cancel ends a generation as a success that says so.
	begun := make(chan struct{})
	var once sync.Once
	var cancelled time.Time
	go func() {
		<-begun
		cancelled = time.Now()
		if err := session.Cancel(); err != nil {
			t.Error(err)
		}
	}()
	result, err := session.Stream(context.Background(), onceUponATime, long, func(Step) error {
		once.Do(func() { close(begun); runtime.Gosched() })
		return nil
	})
	if err != nil || result.Finish != FinishCancelled || result.Text == "" {
		t.Fatalf("result %+v, %v", result, err)
	}
	if took := time.Since(cancelled); took > time.Second {
		t.Errorf("it took %v", took)
	}

	// So does a context.Context, as an error that has the reason.
	ctx, cancel := context.WithCancel(context.Background())
	result, err = session.Stream(ctx, onceUponATime, long, func(step Step) error {
		if step.Text != "" {
			cancel()
		}
		return nil
	})
	wantError(t, err, ErrCancelled, context.Canceled)
	if result == nil || result.Text == "" || result.Finish != FinishCancelled {
		t.Errorf("result %+v", result)
	}
	_, err = session.Generate(ctx, onceUponATime, long)
	wantError(t, err, context.Canceled)

	ctx, cancel = context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = session.Generate(ctx, onceUponATime, long)
	wantError(t, err, ErrTimeout, FamilyTimeout, context.DeadlineExceeded)

	if got := write(t, session, greedy(16)); got != want {
		t.Errorf("afterwards the context writes %q, before it %q", got, want)
	}
}

// endForbidden is a bias that lets no text end by itself.
func endForbidden(t testing.TB) map[Token]float32 {
	tokenizer, err := load(t).Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	defer tokenizer.Close()
	info, err := tokenizer.Info()
	if err != nil {
		t.Fatal(err)
	}
	bias := map[Token]float32{}
	for token := Token(0); int(token) < info.Vocab; token++ {
		if end, _ := tokenizer.IsEnd(token); end {
			bias[token] = float32(math.Inf(-1))
		}
	}
	if len(bias) == 0 {
		t.Fatal("no token ends a text")
	}
	return bias
}

func TestC06FreeInWrongOrder(t *testing.T) {
	model := load(t)
	tokenizer, err := model.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	session := open(t, model, nil)
	want := write(t, session, greedy(8))
	p := GreedyParams()
	sampler, err := NewSampler(&p)
	if err != nil {
		t.Fatal(err)
	}
	generation, err := session.NewGeneration(onceUponATime, greedy(8))
	if err != nil {
		t.Fatal(err)
	}
	model.Close()
	model.Close()
	if got := write(t, session, greedy(8)); got != want {
		t.Errorf("without its model the context writes %q, not %q", got, want)
	}
	tokens, err := tokenizer.Encode(onceUponATime, AddBOS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.Prefill(context.Background(), 0, tokens); err != nil {
		t.Fatal(err)
	}
	if _, err := sampler.SampleContext(session, -1); err != nil {
		t.Fatal(err)
	}
	session.Close()
	_, err = generation.Next(context.Background())
	wantError(t, err, ErrClosed)
	for i := 0; i < 2; i++ {
		for _, err := range []error{generation.Close(), tokenizer.Close(), sampler.Close(), session.Close(), model.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	}
}

func TestC07TwoContexts(t *testing.T) {
	model := load(t)
	prompts := []string{onceUponATime, "The little dog"}
	run := func(session *Context, prompt string) string {
		result, err := session.Generate(context.Background(), prompt, greedy(40))
		if err != nil {
			t.Error(err)
			return ""
		}
		return result.Text
	}
	alone := []string{run(open(t, model, nil), prompts[0]), run(open(t, model, nil), prompts[1])}
	sessions := []*Context{open(t, model, nil), open(t, model, nil)}
	var together [2]string
	var group sync.WaitGroup
	for i := range sessions {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			together[i] = run(sessions[i], prompts[i])
		}(i)
	}
	group.Wait()
	for i := range alone {
		if together[i] != alone[i] || alone[i] == "" {
			t.Errorf("together %q, alone %q", together[i], alone[i])
		}
	}
	// One context for two goroutines is an error, not a race.
	_, err := sessions[0].Stream(context.Background(), onceUponATime, greedy(2), func(Step) error { return nil })
	if err != nil {
		t.Error(err)
	}
	_, err = sessions[0].h.acquireAlone()
	if err != nil {
		t.Fatal(err)
	}
	_, err = sessions[0].Generate(context.Background(), onceUponATime, nil)
	sessions[0].h.releaseAlone()
	wantError(t, err, ErrInUse)
}

func TestC08ThrowingCallback(t *testing.T) {
	thrown := errors.New("thrown on purpose")
	model := load(t)
	session := open(t, model, nil)
	for _, stop := range []func(Step) error{
		func(Step) error { return thrown }, func(Step) error { panic(thrown) }} {
		_, err := session.Stream(context.Background(), onceUponATime, greedy(48), stop)
		wantError(t, err, thrown)
	}
	_, err := session.Stream(context.Background(), onceUponATime, greedy(48), func(Step) error { panic("a text") })
	var p *PanicError
	if !errors.As(err, &p) || p.Value != "a text" || !strings.Contains(string(p.Stack), "TestC08ThrowingCallback") {
		t.Errorf("error %v", err)
	}

	for _, stop := range []ProgressFunc{
		func(float64) error { return thrown }, func(float64) error { panic(thrown) }} {
		_, err := LoadModel(modelPath(), &ModelParams{OnProgress: stop})
		wantError(t, err, thrown, ErrCancelled)
		_, err = LoadModelReader(strings.NewReader("GGUF, but not really one"), 24, nil)
		wantError(t, err, FamilyGGUFParse)
		_, err = ValidateFile(modelPath(), &ValidationParams{OnProgress: stop})
		wantError(t, err, thrown, ErrCancelled)
		small := open(t, model, &ContextParams{Size: 64, MicroBatchSize: 4, Threads: 1, OnProgress: stop})
		tokens := make([]Token, 32)
		wantError(t, small.DecodeTokens(context.Background(), 0, tokens), thrown, ErrCancelled)
		if end, err := small.SequenceEnd(0); end != 0 || err != nil {
			t.Errorf("the sequence holds %d tokens, %v", end, err)
		}
		_, err = small.Generate(context.Background(), strings.Repeat("a dog and ", 5), greedy(4))
		wantError(t, err, thrown)
	}
	_, err = LoadModelReader(panicReader{}, 1<<20, nil)
	if !errors.As(err, &p) {
		t.Errorf("error %v", err)
	}

	var written strings.Builder
	log.SetOutput(&written)
	SetLog(LogDebug, func(LogLevel, string) { panic("from the log") })
	again, err := LoadModel(modelPath(), nil)
	SetLog(LogDebug, nil)
	log.SetOutput(os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if !strings.Contains(written.String(), "from the log") {
		t.Errorf("the log has %q", written.String())
	}
	if write(t, session, greedy(8)) == "" {
		t.Error("nothing works any more")
	}
}

type panicReader struct{}

func (panicReader) ReadAt([]byte, int64) (int, error) { panic("cannot read") }
