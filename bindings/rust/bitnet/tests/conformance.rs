// The scenarios of bindings/conformance.md, C01 to C16, and the examples, with the default model. BITNET_MODEL names another place
// for it; BITNET_EXAMPLES is the folder with the C examples of the same build.
use bitnet::*;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

#[path = "beyond_conformance.rs"]
mod beyond_conformance;

pub fn model_path() -> PathBuf {
    std::env::var_os("BITNET_MODEL")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../examples/stories/stories.gguf"))
}

pub fn model() -> Model {
    Model::load(model_path()).unwrap()
}

// So small a model is fastest alone on its thread, and tests run side by side.
pub fn context(model: &Model) -> Context {
    Context::with(model, ContextParams::new().threads(1).n_ctx(512)).unwrap()
}

pub fn greedy(tokens: i32) -> GenerationParams {
    GenerationParams::new().max_new_tokens(tokens).sampler(SamplerParams::greedy())
}

pub const PROMPT: &str = "Once upon a time";

/// Runs one test again in a process of its own, for what concerns the whole process. True in that process.
fn in_own_process(test: &str) -> bool {
    if std::env::var_os("BITNET_OWN_PROCESS").is_some() {
        return true;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env("BITNET_OWN_PROCESS", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{}", text);
    false
}

/// The panic of a closure as text.
pub fn panic_of<R>(body: impl FnOnce() -> R) -> String {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).err().expect("a panic");
    panic.downcast_ref::<&str>().map(|text| text.to_string()).expect("a text")
}

#[test]
fn c01_missing_file() {
    let error = Model::load("no/such/model.gguf").err().unwrap();
    assert_eq!(error.status(), Status::FileNotFound);
    assert_eq!(error.status().name(), "BITNET_E_FILE_NOT_FOUND");
    assert_eq!(error.family(), Family::Io);
    assert_eq!(error.family().name(), "Io");
    assert!(error.message().contains("no/such/model.gguf"), "{}", error);
    assert!(!error.suggestions().is_empty());
    assert_eq!(error.operation(), "bitnet_model_load");
    assert!(error.json().contains("\"name\":\"BITNET_E_FILE_NOT_FOUND\""), "{}", error.json());
    let boxed: Box<dyn std::error::Error + Send + Sync> = error.clone().into();
    assert_eq!(boxed.to_string(), error.message());
}

#[test]
fn c02_round_trip() {
    let tokenizer = model().tokenizer().unwrap();
    for text in ["Once upon a time", "naïve café", "你好，世界", "a 🐢 and a 👩‍👩‍👧", " two  spaces\n\ttab ", ""]
    {
        let tokens = tokenizer.encode(text).unwrap();
        assert_eq!(tokenizer.decode(&tokens).unwrap(), text);
    }
    let odd = [b'a', 0xff, 0, 0xc3];
    let tokens = tokenizer.encode_with(odd, EncodeOptions::default()).unwrap();
    let start = DecodeOptions { start: true, ..DecodeOptions::default() };
    assert_eq!(tokenizer.decode_with(&tokens, start).unwrap(), odd);
}

fn c_compiler() -> String {
    std::env::var("CC").ok().filter(|value| !value.is_empty()).unwrap_or_else(|| "cc".into())
}

const GREEDY_IN_C: &str = r#"
#include <stdio.h>
#include <bitnet.h>
int main(int argc, char **argv) {
    bitnet_model *model; bitnet_context *context; bitnet_generation *generation; bitnet_generation_result result;
    bitnet_sampler_params sampler = bitnet_sampler_default_params();
    bitnet_generation_params params = bitnet_generation_default_params();
    sampler.temperature = 0;
    params.max_new_tokens = 48;
    params.sampler = &sampler;
    result.struct_size = sizeof result;
    if (argc < 2 || bitnet_model_load(argv[1], NULL, &model) || bitnet_context_create(model, NULL, &context) ||
        bitnet_generate(context, 0, "Once upon a time", 16, &params, NULL, NULL, &generation) ||
        bitnet_generation_get_result(generation, &result)) {
        fprintf(stderr, "%s\n", bitnet_last_error());
        return 1;
    }
    fwrite(result.text, 1, result.n_bytes, stdout);
    return 0;
}
"#;

#[test]
fn c03_greedy_text() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (source, binary) = (folder.join("greedy.c"), folder.join("greedy"));
    std::fs::write(&source, GREEDY_IN_C).unwrap();
    let library =
        PathBuf::from(std::env::var_os("BITNET_LIBRARY").expect("BITNET_LIBRARY: the library to compare with"));
    let include = std::env::var_os("BITNET_INCLUDE").map(PathBuf::from);
    let include = include.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.."));
    let built = Command::new(c_compiler())
        .arg(&source)
        .arg(&library)
        .arg("-I")
        .arg(include)
        .arg(format!("-Wl,-rpath,{}", library.parent().unwrap().display()))
        .arg("-o")
        .arg(&binary)
        .status()
        .unwrap();
    assert!(built.success());
    let in_c = Command::new(&binary).arg(model_path()).output().unwrap();
    assert!(in_c.status.success(), "{}", String::from_utf8_lossy(&in_c.stderr));
    let output = context(&model()).generate(PROMPT, &greedy(48)).unwrap();
    assert_eq!(output.tokens.len(), 48);
    assert_eq!(output.finish_reason, FinishReason::Length);
    assert_eq!(output.text.as_bytes(), in_c.stdout);
}

#[test]
fn c04_stop_sequence() {
    let model = model();
    let mut context = context(&model);
    let whole = context.generate(PROMPT, &greedy(60)).unwrap().text;
    let stop = &whole[40..46];
    let output = context.generate(PROMPT, &greedy(60).stop("never there").stop(stop)).unwrap();
    assert_eq!(output.text, whole[..whole.find(stop).unwrap()]);
    assert_eq!(output.finish_reason, FinishReason::StopSequence);
    assert_eq!(output.stop_sequence, Some(1));
}

/// A text that does not end by itself for a long time.
fn endless(model: &Model) -> (Context, GenerationParams) {
    let context = Context::with(model, ContextParams::new().threads(1).n_ctx(20000)).unwrap();
    let eos = model.tokenizer().unwrap().info().unwrap().eos;
    let sampler = SamplerParams::new().seed(1).logit_bias(eos, f32::NEG_INFINITY);
    (context, GenerationParams::new().max_new_tokens(-1).sampler(sampler))
}

#[test]
fn c05_cancel_from_another_thread() {
    let (mut context, params) = endless(&model());
    let canceller = context.canceller();
    let (send, receive) = mpsc::channel();
    let worker = std::thread::spawn(move || {
        let output = context.generate_with(PROMPT, &params, |step| {
            let _ = send.send(step.token);
            ControlFlow::Continue(())
        });
        (context, output.unwrap(), Instant::now())
    });
    receive.recv_timeout(Duration::from_secs(60)).unwrap();
    let cancelled = Instant::now();
    canceller.clone().cancel();
    let (mut context, output, ended) = worker.join().unwrap();
    assert!(ended.duration_since(cancelled) < Duration::from_secs(1));
    assert_eq!(output.finish_reason, FinishReason::Cancelled);
    let after = context.generate(PROMPT, &greedy(8));
    assert_eq!(after.unwrap().tokens.len(), 8);
    drop(context);
    canceller.cancel(); // the context is gone: nothing happens
}

#[test]
fn c06_free_in_wrong_order() {
    let model = model();
    let tokenizer = model.tokenizer().unwrap();
    let grammar = Grammar::from_gbnf(&tokenizer, "root ::= \"yes\" | \"no\"", None).unwrap();
    let template = ChatTemplate::built_in(&tokenizer, "falcon").unwrap();
    let mut context = context(&model);
    let mut sampler = Sampler::new(&SamplerParams::greedy()).unwrap();
    sampler.set_grammar(Some(&grammar)).unwrap();
    drop(model);
    let tokens = tokenizer.encode(PROMPT).unwrap();
    context.decode_tokens(0, &tokens).unwrap();
    drop(grammar);
    let token = sampler.sample_context(&mut context, -1).unwrap();
    drop(context);
    let piece = tokenizer.decode(&[token]).unwrap();
    assert!(!piece.is_empty() && ("yes".starts_with(&piece) || "no".starts_with(&piece)), "{:?}", piece);
    drop(tokenizer);
    assert!(template.render(&[Message::user("hi")]).unwrap().contains("hi"));
    // Closing twice does not compile: drop() takes the value. The doc tests of Context hold that.
}

#[test]
fn c07_two_contexts() {
    let model = model();
    let params = |seed| GenerationParams::new().max_new_tokens(40).sampler(SamplerParams::new().seed(seed));
    let alone: Vec<String> = (1..3).map(|seed| context(&model).generate(PROMPT, &params(seed)).unwrap().text).collect();
    assert_ne!(alone[0], alone[1]);
    let threads: Vec<_> = (1..3)
        .map(|seed| {
            let model = model.clone();
            std::thread::spawn(move || context(&model).generate(PROMPT, &params(seed)).unwrap().text)
        })
        .collect();
    let together: Vec<String> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(together, alone);
}

#[test]
fn c08_panicking_callbacks() {
    let model = model();
    let mut context = context(&model);
    let mut steps = 0;
    let panic = panic_of(|| {
        context.generate_with(PROMPT, &greedy(40), |_| {
            steps += 1;
            if steps == 3 {
                panic!("in a token callback");
            }
            ControlFlow::Continue(())
        })
    });
    assert_eq!((panic.as_str(), steps), ("in a token callback", 3));
    assert_eq!(context.generate(PROMPT, &greedy(5)).unwrap().tokens.len(), 5);

    let load = |params| Model::load_with(model_path(), params);
    let panic = panic_of(|| load(ModelParams::new().on_progress(|_| panic!("in a progress callback"))));
    assert_eq!(panic, "in a progress callback");
    let error = load(ModelParams::new().on_progress(|_| ControlFlow::Break(()))).err().unwrap();
    assert_eq!(error.status(), Status::Cancelled);

    let mut calls = 0;
    let abort = move || {
        calls += 1;
        assert!(calls != 5, "in an abort callback");
        false
    };
    let mut context = Context::with(&model, ContextParams::new().threads(1).should_abort(abort)).unwrap();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| context.generate(PROMPT, &greedy(40))));
    assert!(panic.is_err());
    assert_eq!(context.generate(PROMPT, &greedy(5)).unwrap().tokens.len(), 5);
}

#[test]
fn c08_panicking_log_callback() {
    if !in_own_process("c08_panicking_log_callback") {
        return; // the log is the whole process's
    }
    let (send, receive) = mpsc::channel();
    let send = std::sync::Mutex::new(send);
    set_log(LogLevel::Debug, move |_, line| send.lock().unwrap().send(line.to_string()).unwrap()).unwrap();
    drop(model());
    clear_log().unwrap();
    let lines: Vec<String> = receive.try_iter().collect();
    assert!(!lines.is_empty());
    let before = memory_used();
    set_log(LogLevel::Debug, |_, _| panic!("in a log callback")).unwrap();
    assert_eq!(panic_of(model), "in a log callback");
    clear_log().unwrap();
    assert_eq!(memory_used(), before); // the model that was loaded all the same is freed
    assert_eq!(context(&model()).generate(PROMPT, &greedy(5)).unwrap().tokens.len(), 5);
}

#[test]
fn c09_streaming() {
    let model = model();
    let mut context = context(&model);
    let params = GenerationParams::new().max_new_tokens(40).sampler(SamplerParams::new().seed(7));
    let whole = context.generate(PROMPT, &params).unwrap();
    let pieces: Vec<String> = context.stream(PROMPT, &params).unwrap().collect::<Result<_>>().unwrap();
    assert!(pieces.len() > 10);
    assert_eq!(pieces.concat(), whole.text);
    let end_before = context.end(0).unwrap();
    for (index, piece) in context.stream("A dog", &params).unwrap().enumerate() {
        assert!(!piece.unwrap().is_empty());
        if index == 2 {
            break;
        }
    }
    assert!(context.end(0).unwrap() < end_before); // nothing went on behind our back
    let calls = context.performance().unwrap().tokens_generated;
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(context.performance().unwrap().tokens_generated, calls);
    assert_eq!(context.generate(PROMPT, &params).unwrap().text, whole.text);
}

#[test]
fn c10_chat() {
    let model = model();
    let tokenizer = model.tokenizer().unwrap();
    let messages = [Message::system("Tell stories."), Message::user("Of a \"cat\" <s>\n")];
    let source = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:";
    let template = ChatTemplate::jinja(&tokenizer, source).unwrap();
    assert_eq!((template.name().as_str(), template.source().as_str()), ("jinja", source));
    let text = template.render(&messages).unwrap();
    assert_eq!(text, "system: Tell stories.\nuser: Of a \"cat\" <s>\n\nassistant:");
    let prompt = template.encode(&messages).unwrap();
    let mut context = context(&model);
    let reply = context.generate(&prompt, &greedy(12)).unwrap();
    assert_eq!(reply.tokens.len(), 12);
    assert!(!reply.text.is_empty());
    assert_eq!(reply.prompt_tokens, prompt.len() as u64);
    // The next turn computes only what is new.
    let more = [&messages[..], &[Message::assistant(reply.text), Message::user("Go on.")]].concat();
    let next = context.generate(&template.encode(&more).unwrap(), &greedy(12)).unwrap();
    assert!(next.reused_tokens >= prompt.len() as u64 - 1, "{}", next.reused_tokens);
    let built_in = ChatTemplate::built_in(&tokenizer, "falcon").unwrap().encode(&messages).unwrap();
    assert_eq!(built_in, tokenizer.encode_chat(Some("falcon"), &messages).unwrap());
    assert_eq!(ChatTemplate::built_in(&tokenizer, "llama3").err().unwrap().status(), Status::NotFound);
}

#[test]
fn c11_embeddings() {
    let model = model();
    let tokenizer = model.tokenizer().unwrap();
    let mut context = Context::with(&model, ContextParams::new().threads(1).embeddings(true)).unwrap();
    let mut embed = |text: &str| context.embed(&tokenizer.encode(text).unwrap(), Pooling::Mean, true).unwrap();
    let (cat, dog, again) = (embed("A cat sat."), embed("The dog ran away."), embed("A cat sat."));
    assert_eq!(cat.len(), model.info().unwrap().n_embd as usize);
    assert_eq!(cat, again);
    assert_ne!(cat, dog);
    let length: f64 = cat.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    assert!((length - 1.0).abs() < 1e-5, "{}", length); // floats of 24 bits, summed
}

#[test]
fn c12_use_after_close() {
    // Using what was dropped does not compile (doc tests). What can outlive its object is a canceller, and a panic must
    // not leave a context half-used.
    let context = context(&model());
    let canceller = context.canceller();
    drop(context);
    canceller.cancel();
    std::thread::spawn(move || canceller.cancel()).join().unwrap();
}

#[test]
fn c13_bad_input() {
    let model = model();
    let mut context = context(&model);
    let status = |result: Result<Output>| result.err().map(|error| error.status());
    assert_eq!(Model::load("a\0b").err().unwrap().status(), Status::Argument);
    assert_eq!(status(context.generate(PROMPT, &greedy(5).stop("a\0b"))), Some(Status::Argument));
    assert_eq!(context.generate("a\0b", &greedy(5)).unwrap().tokens.len(), 5);
    assert_eq!(context.generate(Prompt::Bytes(b"a\xff\xc3"), &greedy(5)).unwrap().tokens.len(), 5);
    assert_eq!(context.generate("", &greedy(5)).unwrap().prompt_tokens, 1); // BOS
    assert_eq!(status(context.generate(PROMPT, &greedy(-5))), Some(Status::Config));
    let huge = context.generate(PROMPT, &greedy(i32::MAX)).unwrap().finish_reason;
    assert!(matches!(huge, FinishReason::End | FinishReason::ContextFull), "{:?}", huge);
    for token in [-1, i32::MAX] {
        assert_eq!(status(context.generate(&vec![token], &greedy(5))), Some(Status::Token));
    }
    for params in [SamplerParams::new().temperature(f32::NAN), SamplerParams::new().top_k(-3)] {
        let error = context.generate(PROMPT, &greedy(5).sampler(params)).unwrap_err();
        assert_eq!((error.status(), error.family()), (Status::Config, Family::Config));
    }
    for params in
        [ContextParams::new().n_ctx(-1), ContextParams::new().threads(-1), ContextParams::new().n_seq_max(5000)]
    {
        assert_eq!(Context::with(&model, params).err().unwrap().status(), Status::Config);
    }
    assert_eq!(context.decode_tokens(99, &[1]).unwrap_err().family(), Family::Usage);
    assert_eq!(context.decode(Batch::new(&[1, 2]).outputs(&[1])).unwrap_err().status(), Status::Argument);
    assert_eq!(check_device("CPU").unwrap_err().status(), Status::Config);
    assert_eq!(check_device("a\0b").unwrap_err().status(), Status::Argument);
    let error = Model::from_bytes("no model".as_bytes(), ModelParams::new()).err().unwrap();
    assert_eq!(error.family(), Family::GgufParse);
    assert_eq!(argmax(&[]).unwrap_err().status(), Status::Argument);
    // After all this it works as ever.
    assert_eq!(context.generate(PROMPT, &greedy(5)).unwrap().tokens.len(), 5);
}

#[test]
fn c14_version() {
    check_version().unwrap();
    assert_eq!(version(), env!("CARGO_PKG_VERSION"));
    assert!(build_info().contains(&version()));
}

#[cfg(target_os = "linux")]
#[test]
fn c14_another_version_is_refused() {
    if std::env::var_os("BITNET_OTHER_VERSION").is_some() {
        let error = Model::load(model_path()).err().unwrap();
        assert_eq!(error.status(), Status::Unsupported);
        assert!(error.message().contains("0.7.3") && error.message().contains("0.1"), "{}", error);
        assert!(Tokenizer::load(model_path()).is_err() && Sampler::new(&SamplerParams::new()).is_err());
        return;
    }
    // A library that answers for the real one where it is asked for its version.
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (source, library) = (folder.join("other_version.c"), folder.join("other_version.so"));
    let code = "unsigned bitnet_version_number(void) { return 703; } const char *bitnet_version_string(void) { return \"0.7.3\"; }";
    std::fs::write(&source, code).unwrap();
    let built = Command::new(c_compiler()).args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status().unwrap();
    assert!(built.success());
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["c14_another_version_is_refused", "--exact"])
        .env("LD_PRELOAD", &library)
        .env("BITNET_OTHER_VERSION", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{}", text);
}

#[test]
fn c15_sessions() {
    let model = model();
    let mut first = context(&model);
    let tokenizer = model.tokenizer().unwrap();
    let begin = first.generate(PROMPT, &greedy(20)).unwrap().text;
    let prompt = format!("{}{}", PROMPT, begin);
    let session = first.save_session().unwrap();
    let expected = first.generate(&prompt, &greedy(20)).unwrap();
    let mut second = context(&model);
    second.load_session(&session).unwrap();
    let restored = second.generate(&prompt, &greedy(20)).unwrap();
    assert_eq!(restored.text, expected.text);
    assert!(restored.reused_tokens as usize >= tokenizer.encode(PROMPT).unwrap().len());
    let mut damaged = session.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let held = second.tokens(0).unwrap();
    assert_eq!(second.load_session(&damaged).unwrap_err().status(), Status::State);
    assert_eq!(second.tokens(0).unwrap(), held);

    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("c15.session");
    let mut last = 0.0;
    let progress = |part| {
        last = part;
        ControlFlow::Continue(())
    };
    second.save_session_to(&path, progress).unwrap();
    assert!(last > 0.0);
    let mut third = context(&model);
    third.load_session_from(&path, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(third.tokens(0).unwrap(), held);
    let sequence = third.save_sequence(0).unwrap();
    first.load_sequence(0, &sequence).unwrap();
    assert_eq!(first.tokens(0).unwrap(), held);
}

#[cfg(target_os = "linux")]
#[test]
fn c16_memory() {
    if !in_own_process("c16_memory") {
        return;
    }
    fn resident_kib() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
    fn round() {
        let model = model();
        let tokenizer = model.tokenizer().unwrap();
        let _template = ChatTemplate::built_in(&tokenizer, "falcon").unwrap();
        let _grammar = Grammar::from_gbnf(&tokenizer, "root ::= \"a\"+", None).unwrap();
        let _sampler = Sampler::new(&SamplerParams::new()).unwrap();
        let context = Context::with(&model, ContextParams::new().threads(1).n_ctx(64).should_abort(|| false)).unwrap();
        let _stream = context.stream(PROMPT, &greedy(5)).unwrap();
        assert!(Model::load("no/such/file").is_err());
    }
    (0..30).for_each(|_| round());
    let before = resident_kib();
    (0..200).for_each(|_| round());
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 4096, "{} KiB more after 200 rounds", grown);
    assert_eq!(memory_used(), 0);
}

/// What one of this crate's examples, or one in C, prints.
fn printed(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).arg(model_path()).args(arguments).env("BITNET_SEED", "42").output().unwrap();
    assert!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn examples_print_what_those_in_c_print() {
    let tests = std::env::current_exe().unwrap();
    let examples = tests.parent().unwrap().parent().unwrap().join("examples");
    let in_c = std::env::var_os("BITNET_EXAMPLES").map(PathBuf::from);
    for (name, original) in [("basic", "basic"), ("streaming", "streaming")] {
        let text = printed(&examples.join(name), &[PROMPT]);
        assert!(text.len() > 50, "{}", text);
        match &in_c {
            Some(folder) => {
                assert_eq!(text, printed(&folder.join(format!("bitnet_{}_generation", original)), &[PROMPT]))
            }
            None => eprintln!("BITNET_EXAMPLES is not set: {} was not compared", name),
        }
    }
    let text = printed(&examples.join("device"), &["cpu", PROMPT]);
    assert!(text.contains("cpu: "), "{}", text);
    let refused = Command::new(examples.join("device")).arg(model_path()).arg("cuda:7").output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("cuda:7"));
}
