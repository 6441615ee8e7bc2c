// What the conformance list does not have: samplers, grammars, batches, adapters, receipts, validation, files, devices.

package bitnet

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestModelTellsWhatItIs(t *testing.T) {
	model := load(t)
	info, err := model.Info()
	if err != nil || info.Architecture != "bitnet-b1.58" || info.Layers != 6 || info.Vocab != 2048 || info.Embedding != 256 ||
		info.Quantization != "i2_s" || len(info.Features) == 0 || info.Device != "cpu" {
		t.Errorf("%+v, %v", info, err)
	}
	keys, err := model.MetadataKeys()
	if err != nil || len(keys) < 10 {
		t.Fatalf("%v, %v", keys, err)
	}
	if value, err := model.Metadata("general.architecture"); err != nil || value != info.Architecture {
		t.Errorf("%q, %v", value, err)
	}
	if tokens, err := model.Metadata("tokenizer.ggml.tokens"); err != nil || len(tokens) < 256 {
		t.Errorf("%q, %v", tokens, err) // longer than the first buffer
	}
	_, err = model.Metadata("no.such.key")
	wantError(t, err, ErrNotFound)
	tensors, err := model.Tensors()
	if err != nil || uint64(len(tensors)) != info.Tensors || len(tensors[0].Shape) == 0 {
		t.Errorf("%d tensors, %v", len(tensors), err)
	}
	quantization, err := model.Quantization()
	if err != nil || quantization.Type != "i2_s" || quantization.TernaryParameters != 4718592 || len(quantization.Types) != 3 {
		t.Errorf("%+v, %v", quantization, err)
	}
	hash, err := model.SHA256()
	if err != nil || hash != "dc4ab2acc86d8b1aed365f7cb1b773808736b886faa88c1c5387eab9f403277f" {
		t.Errorf("hash %q, %v", hash, err)
	}
	breakdown, err := model.MemoryBreakdown()
	estimate, failed := model.EstimateMemory(&ContextParams{Size: 128, Threads: 1})
	fromPath, failedPath := EstimateMemory(modelPath(), nil, &ContextParams{Size: 128, Threads: 1})
	if err != nil || failed != nil || failedPath != nil || breakdown.Total == 0 || estimate.Weights.Total != breakdown.Total ||
		fromPath.Total != estimate.Total || fromPath.ContextSize != 128 {
		t.Errorf("%+v %v, %+v %v, %+v %v", breakdown, err, estimate, failed, fromPath, failedPath)
	}
	memory, err := open(t, model, &ContextParams{Size: 128, Threads: 1}).Memory()
	if err != nil || memory.KV != estimate.KV || memory.Scratch != estimate.Scratch {
		t.Errorf("%+v, estimated %+v, %v", memory, estimate, err)
	}
}

func TestModelsFromBytesReadersAndFiles(t *testing.T) {
	want := write(t, open(t, load(t), nil), greedy(12))
	data, err := os.ReadFile(modelPath())
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(modelPath())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	loads := map[string]func() (*Model, error){
		"bytes":  func() (*Model, error) { return LoadModelBytes(data, &ModelParams{SHA256: true}) },
		"reader": func() (*Model, error) { return LoadModelReader(bytes.NewReader(data), int64(len(data)), nil) },
		"file":   func() (*Model, error) { return LoadModelFile(file, 0, 0, nil) },
		"path":   func() (*Model, error) { return LoadModel(modelPath(), &ModelParams{NoMmap: true, Device: "cpu"}) },
	}
	for name, loading := range loads {
		model, err := loading()
		if err != nil {
			t.Fatal(name, err)
		}
		session := open(t, model, nil)
		model.Close()
		if got := write(t, session, greedy(12)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	_, err = LoadModelReader(bytes.NewReader(data[:1000]), int64(len(data)), nil)
	wantError(t, err, FamilyIO)
}

func TestSamplersAndLogits(t *testing.T) {
	session := open(t, load(t), nil)
	ctx := context.Background()
	tokens, err := session.encode(onceUponATime)
	if err != nil {
		t.Fatal(err)
	}
	if reused, err := session.Prefill(ctx, 0, tokens); err != nil || reused != 0 {
		t.Fatal(reused, err)
	}
	logits, err := session.Logits(-1)
	if err != nil || len(logits) != 2048 {
		t.Fatal(len(logits), err)
	}
	again, err := session.NextTokenLogits(ctx, 0, tokens, 1)
	if err != nil || !reflect.DeepEqual(logits, again) {
		t.Errorf("other logits (%v)", err)
	}
	rows, err := session.Forward(ctx, Forward{Tokens: tokens})
	if err != nil || len(rows) != len(tokens) || !reflect.DeepEqual(rows[len(rows)-1], logits) {
		t.Errorf("a forward pass has other logits (%v)", err)
	}
	best, err := Argmax(logits)
	if err != nil {
		t.Fatal(err)
	}
	p := DefaultSamplerParams()
	if p.Temperature != 0.7 || p.TopK != 50 || p.TopP != 0.9 {
		t.Errorf("defaults %+v", p)
	}
	p.Seed = Seed(7)
	p.LogitBias = map[Token]float32{best: float32(math.Inf(-1))}
	sampler, err := NewSampler(&p)
	if err != nil {
		t.Fatal(err)
	}
	defer sampler.Close()
	probabilities, err := sampler.Probabilities(logits)
	if err != nil || probabilities[best] != 0 {
		t.Errorf("the forbidden token has probability %v, %v", probabilities[best], err)
	}
	first, err := sampler.Sample(logits)
	alone, failed := SampleLogits(logits, &p)
	if err != nil || failed != nil || first == best || first != alone {
		t.Errorf("sampled %d and %d, the forbidden one is %d (%v, %v)", first, alone, best, err, failed)
	}
	if seed, err := sampler.Seed(); seed != 7 || err != nil {
		t.Errorf("seed %d, %v", seed, err)
	}
	if err := sampler.Reset(); err != nil {
		t.Fatal(err)
	}
	if reused, err := session.Prefill(ctx, 0, tokens); err != nil || reused != len(tokens)-1 {
		t.Error(reused, err) // a forward pass ends the life of earlier logits
	}
	if token, err := sampler.SampleContext(session, -1); token != first || err != nil {
		t.Errorf("after a reset %d, before %d (%v)", token, first, err)
	}
	if err := sampler.Accept(best); err != nil {
		t.Error(err)
	}
	softmax, err := Softmax(logits)
	own, top, failed := TopLogprobs(logits, best, 3)
	if err != nil || failed != nil || len(top) != 3 || top[0].Token != best || top[0].Logprob != own ||
		math.Abs(math.Exp(float64(own))-float64(softmax[best])) > 1e-5 {
		t.Errorf("%v, %v, %v (%v, %v)", own, top, softmax[best], err, failed)
	}
	if done, err := session.Step(time.Millisecond); done || err == nil {
		t.Error("a step without a decode")
	}
	if err := session.DecodeBegin(Batch{Tokens: []Token{best}}); err != nil {
		t.Fatal(err)
	}
	for done, steps := false, 0; !done; steps++ {
		if done, err = session.Step(10 * time.Microsecond); err != nil || steps > 1<<20 {
			t.Fatal(steps, err)
		}
	}
	if end, _ := session.SequenceEnd(0); end != len(tokens)+1 {
		t.Errorf("the sequence ends at %d", end)
	}
}

func TestGrammarsMakeJSON(t *testing.T) {
	model := load(t)
	tokenizer, err := model.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	schema := `{"type": "object", "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer",
		"minimum": 0, "maximum": 99}}, "required": ["name", "age"]}`
	grammar, err := tokenizer.NewJSONGrammar(schema)
	if err != nil {
		t.Fatal(err)
	}
	params := greedy(100)
	params.Grammar = grammar
	session := open(t, model, nil)
	generation, err := session.NewGeneration(onceUponATime, params)
	if err != nil {
		t.Fatal(err)
	}
	defer generation.Close()
	grammar.Close() // kept alive by the generation
	result, err := generation.Run(context.Background(), nil)
	var person struct {
		Name string
		Age  int
	}
	if err != nil || json.Unmarshal([]byte(result.Text), &person) != nil || len(person.Name) > 12 {
		t.Errorf("%+v, %v", result, err)
	}
	if text, err := JSONSchemaToGBNF(schema); err != nil || !strings.Contains(text, "root ::=") {
		t.Errorf("%q, %v", text, err)
	}
	_, err = tokenizer.NewGrammar("root ::= missing", "")
	wantError(t, err, ErrConfig)
}

func TestGenerationsInOneBatch(t *testing.T) {
	model := load(t)
	session := open(t, model, &ContextParams{Size: 256, Threads: 1, MaxSequences: 2})
	prompts := []string{onceUponATime, "The little dog"}
	var generations []*Generation
	var want, got [2]string
	for i, prompt := range prompts {
		params := greedy(12)
		params.Logprobs = 2
		params.Sequence = i
		result, err := open(t, model, nil).Generate(context.Background(), prompt, greedy(12))
		if err != nil {
			t.Fatal(err)
		}
		want[i] = result.Text
		generation, err := session.NewGeneration(prompt, params)
		if err != nil {
			t.Fatal(err)
		}
		defer generation.Close()
		generations = append(generations, generation)
	}
	for finished := 0; finished < 2; {
		steps, err := NextBatch(context.Background(), generations, 0)
		if err != nil {
			t.Fatal(err)
		}
		finished = 0
		for i, step := range steps {
			got[i] += step.Text
			if step.Err != nil || (len(step.Tokens) > 0 && (len(step.Top) != 2 || step.Top[0].Logprob < step.Logprob)) {
				t.Fatalf("%+v", step)
			}
			if step.Finish != FinishNone {
				finished++
			}
		}
	}
	if got != want {
		t.Errorf("in a batch %q, alone %q", got, want)
	}
	if err := session.SequenceFork(0, 1); err != nil {
		t.Fatal(err)
	}
	a, _ := session.SequenceTokens(0)
	b, _ := session.SequenceTokens(1)
	if len(a) == 0 || !reflect.DeepEqual(a, b) {
		t.Errorf("forked %v, %v", a, b)
	}
	if err := session.SequenceRewind(1, 3); err != nil {
		t.Fatal(err)
	}
	if computed, err := session.SequenceShift(context.Background(), 1, 1, 3); err != nil || computed == 0 {
		t.Errorf("shifted %d, %v", computed, err)
	}
	performance, err := session.Performance()
	if err != nil || performance.Inferences != 2 || performance.TokensGenerated < 4 || performance.ForwardTime == 0 {
		t.Errorf("%+v, %v", performance, err)
	}
	stats, err := session.DeviceStats()
	if summary, failed := session.DeviceSummary(); err != nil || failed != nil || stats.Operations == 0 || summary == "" {
		t.Errorf("%+v, %q", stats, summary)
	}
	if metrics, err := session.Metrics(); err != nil || metrics.Decodes == 0 {
		t.Errorf("%+v, %v", metrics, err)
	}
}

func TestReceiptsAreVerified(t *testing.T) {
	model := load(t)
	params := greedy(8)
	params.Receipt = true
	result, err := open(t, model, nil).Generate(context.Background(), onceUponATime, params)
	if err != nil || !json.Valid([]byte(result.Receipt)) {
		t.Fatal(result, err)
	}
	report, err := VerifyReceipt(context.Background(), result.Receipt, model, &ReceiptParams{Count: 4, Threads: 1})
	if err != nil || !report.ModelMatched || report.Replayed < 4 || report.FirstMismatch != -1 {
		t.Errorf("%+v, %v", report, err)
	}
	forged := strings.Replace(result.Receipt, `"length"`, `"end"`, 1)
	report, err = VerifyReceipt(context.Background(), forged, nil, nil)
	wantError(t, err, ErrValidation)
	if report.FailedCheck.String() == "none" {
		t.Errorf("%+v", report)
	}
	path := filepath.Join(t.TempDir(), "receipt.json")
	if err := WriteReceipt(result.Receipt, path); err != nil {
		t.Error(err)
	}
}

func TestFilesAreReadConvertedAndValidated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "converted.gguf")
	report, err := ConvertFile(modelPath(), path, &ConvertParams{Type: "tq2_0", Threads: 1})
	if err != nil || report.Type != "tq2_0" || report.Encoded == 0 || !json.Valid([]byte(report.JSON)) {
		t.Fatalf("%+v, %v", report, err)
	}
	file, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Info()
	keys, failed := file.MetadataKeys()
	if err != nil || failed != nil || info.Version != 3 || uint64(len(keys)) != info.Keys {
		t.Errorf("%+v, %d keys (%v, %v)", info, len(keys), err, failed)
	}
	tensors, err := file.Tensors()
	if err != nil || uint64(len(tensors)) != info.Tensors || tensors[0].Problem != "" {
		t.Fatalf("%+v, %v", tensors, err)
	}
	values, err := file.Rows(0, 0, 2)
	if err != nil || int64(len(values)) != 2*tensors[0].Shape[0] && len(tensors[0].Shape) > 1 {
		t.Errorf("%d values of %+v, %v", len(values), tensors[0], err)
	}
	found, err := ValidateFile(path, &ValidationParams{Threads: 1})
	if err != nil || !found.Valid || len(found.Tensors) != len(tensors) || !json.Valid([]byte(found.JSON)) {
		t.Errorf("%+v, %v", found, err)
	}
	broken, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, broken[:len(broken)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	found, err = ValidateFile(path, nil)
	if err != nil || found.Valid || len(found.Findings) == 0 || found.Findings[0].Message == "" {
		t.Errorf("%+v, %v", found, err)
	}
	_, err = MergeFile(modelPath(), path, []MergeAdapter{{"missing adapter.gguf", 1}}, "", nil)
	wantError(t, err, ErrFileNotFound)
	_, err = load(t).LoadAdapter("missing adapter.gguf")
	wantError(t, err, ErrFileNotFound)
	_, err = load(t).LoadAdapterBytes([]byte("no adapter"))
	wantError(t, err, FamilyGGUFParse)
	wantError(t, open(t, load(t), nil).SetAdapters(0, AdapterUse{}), ErrArgument)
	if err := open(t, load(t), &ContextParams{Size: 32, MaxLoraRank: 4}).SetAdapters(0); err != nil {
		t.Error(err)
	}
	tokenizer, discovery, err := DiscoverTokenizer(modelPath(), &DiscoveryParams{Offline: true})
	if err != nil || tokenizer == nil || discovery.Vocab != 2048 || discovery.Steps == "" {
		t.Fatalf("%+v, %v", discovery, err)
	}
	tokenizer.Close()
}

func TestDevicesAndLibrary(t *testing.T) {
	if devices := Devices(); len(devices) == 0 || devices[len(devices)-1] != "cpu" {
		t.Errorf("devices %v", devices)
	}
	wantError(t, CheckDevice("metal"), ErrDeviceNotAvailable, FamilyDevice)
	wantError(t, CheckDevice("toaster"), ErrConfig)
	if err := CheckDevice(""); err != nil {
		t.Error(err)
	}
	kind, index, err := ParseDevice("cuda:3")
	name, failed := FormatDevice(kind, index)
	if err != nil || failed != nil || kind != DeviceCUDA || index != 3 || name != "cuda:3" {
		t.Errorf("%v %d %q (%v, %v)", kind, index, name, err, failed)
	}
	info, err := GetDeviceInfo("cpu")
	memory, failed := GetDeviceMemory("cpu")
	if err != nil || failed != nil || !info.SupportsInt8 || info.MaxThreads != ThreadLimit() || memory.Total < memory.Free {
		t.Errorf("%+v, %+v (%v, %v)", info, memory, err, failed)
	}
	text, err := DevicesJSON()
	if err != nil || !json.Valid([]byte(text)) || !FeatureBuilt("cpu") || FeatureBuilt("toaster") || len(Features()) < 2 {
		t.Errorf("%q, %v", text, Features())
	}
	kernels := Kernels()
	selected := 0
	for _, kernel := range kernels {
		selected += int(flag(kernel.Selected))
	}
	if len(kernels) < 2 || selected == 0 {
		t.Errorf("kernels %+v", kernels)
	}
	if _, err := GetEnvironment(); err != nil {
		t.Error(err)
	}
	var lines []string
	SetLog(LogInfo, func(level LogLevel, message string) { lines = append(lines, message) })
	load(t)
	SetLog(LogInfo, nil)
	if len(lines) == 0 || strings.HasSuffix(lines[0], "\n") {
		t.Errorf("log %q", lines)
	}
}
