// Conversations as the model was taught to read them.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>One message of a conversation.</summary>
    public sealed class ChatMessage
    {
        public ChatMessage(string role, string content)
        {
            if (role == null) throw new ArgumentNullException("role");
            if (content == null) throw new ArgumentNullException("content");
            Role = role;
            Content = content;
        }

        /// <summary>"system", "user", "assistant".</summary>
        public string Role { get; private set; }

        public string Content { get; private set; }

        public static ChatMessage System(string content)
        {
            return new ChatMessage("system", content);
        }

        public static ChatMessage User(string content)
        {
            return new ChatMessage("user", content);
        }

        public static ChatMessage Assistant(string content)
        {
            return new ChatMessage("assistant", content);
        }
    }

    /// <summary>
    /// How conversations are written for a model. It never changes: any thread may use it. Texts of a conversation can
    /// never become control tokens.
    /// </summary>
    public sealed unsafe class ChatTemplate : IDisposable
    {
        private readonly bitnet_chat_template handle;

        /// <summary>The model's own template.</summary>
        /// <exception cref="BitNetException"><see cref="Status.NotFound"/>: it has none.</exception>
        public ChatTemplate(Tokenizer tokenizer)
            : this(HandleOf(tokenizer), null, null)
        {
        }

        internal ChatTemplate(bitnet_tokenizer tokenizer, string format, string source)
        {
            byte[] name = Utf8.Terminated(format, "format");
            byte[] text = source == null ? null : Utf8.Bytes(source, "source");
            bitnet_status status;
            fixed (byte* builtIn = name)
            fixed (byte* jinja = text)
            {
                status = Native.bitnet_chat_template_create(tokenizer, builtIn, jinja, (UIntPtr)(text == null ? 0 : text.Length), out handle);
            }
            Failure.Check(status);
        }

        /// <summary>A built-in format: "bitnet", "llama3", "chatml", "falcon", "gemma".</summary>
        public static ChatTemplate FromFormat(Tokenizer tokenizer, string format)
        {
            if (format == null) throw new ArgumentNullException("format");
            return new ChatTemplate(HandleOf(tokenizer), format, null);
        }

        /// <summary>A Jinja template, as models bring one. It runs in a sandbox and may come from anyone.</summary>
        public static ChatTemplate FromJinja(Tokenizer tokenizer, string source)
        {
            if (source == null) throw new ArgumentNullException("source");
            return new ChatTemplate(HandleOf(tokenizer), null, source);
        }

        /// <summary>The built-in format's name, or "jinja".</summary>
        public string Name
        {
            get
            {
                using (HandleLease.Of(handle)) return Utf8.Text(Native.bitnet_chat_template_get_name(handle));
            }
        }

        /// <summary>The Jinja text; "" for a built-in format.</summary>
        public string Source
        {
            get
            {
                using (HandleLease.Of(handle)) return Utf8.Text(Native.bitnet_chat_template_get_source(handle));
            }
        }

        /// <summary>The tokens of a conversation.</summary>
        /// <param name="addReplyHeader">End with what the assistant's reply follows.</param>
        public int[] Encode(IEnumerable<ChatMessage> messages, bool addReplyHeader = true)
        {
            return EncodeJson(ToJson(messages, addReplyHeader));
        }

        /// <summary>
        /// The same from an object of the template's variables: "messages", "tools", "add_generation_prompt", ...
        /// </summary>
        public int[] EncodeJson(string json)
        {
            byte[] bytes = Utf8.Bytes(json, "json");
            return Utf8.ReadTokens(bytes.Length / 2 + 16, (tokens, capacity, count) =>
            {
                fixed (byte* text = bytes)
                {
                    return Native.bitnet_chat_template_encode(handle, text, (UIntPtr)bytes.Length, tokens, capacity, count);
                }
            });
        }

        /// <summary>The same as text, to look at.</summary>
        public string Render(IEnumerable<ChatMessage> messages, bool addReplyHeader = true)
        {
            return RenderJson(ToJson(messages, addReplyHeader));
        }

        /// <summary>The variables of the template as text, to look at.</summary>
        public string RenderJson(string json)
        {
            byte[] bytes = Utf8.Bytes(json, "json");
            return Utf8.Read((buffer, capacity, size) =>
            {
                fixed (byte* text = bytes)
                {
                    return Native.bitnet_chat_template_render(handle, text, (UIntPtr)bytes.Length, buffer, capacity, size);
                }
            });
        }

        public void Dispose()
        {
            handle.Dispose();
        }

        private static bitnet_tokenizer HandleOf(Tokenizer tokenizer)
        {
            if (tokenizer == null) throw new ArgumentNullException("tokenizer");
            return tokenizer.Handle;
        }

        private static string ToJson(IEnumerable<ChatMessage> messages, bool addReplyHeader)
        {
            if (messages == null) throw new ArgumentNullException("messages");
            StringBuilder json = new StringBuilder("{\"messages\": [");
            bool isFirst = true;
            foreach (ChatMessage message in messages)
            {
                json.Append(isFirst ? "{\"role\": " : ", {\"role\": ");
                AppendString(json, message.Role);
                json.Append(", \"content\": ");
                AppendString(json, message.Content);
                json.Append('}');
                isFirst = false;
            }
            return json.Append("], \"add_generation_prompt\": ").Append(addReplyHeader ? "true}" : "false}").ToString();
        }

        private static void AppendString(StringBuilder json, string text)
        {
            json.Append('"');
            foreach (char c in text)
            {
                if (c == '"' || c == '\\') json.Append('\\').Append(c);
                else if (c < ' ') json.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
                else json.Append(c);
            }
            json.Append('"');
        }
    }
}
