// Runs the tests: BitNetTests.exe [part of a name]... No framework, so that Mono's compiler alone builds them: a test
// is a public method without parameters of a class with [Tests], and fails by throwing.
using System;
using System.Diagnostics;
using System.Linq;
using System.Reflection;

namespace BitNet.Tests
{
    [AttributeUsage(AttributeTargets.Class)]
    public sealed class TestsAttribute : Attribute
    {
    }

    public sealed class FailedException : Exception
    {
        public FailedException(string message)
            : base(message)
        {
        }
    }

    /// <summary>What a test expects.</summary>
    public static class Expect
    {
        public static void True(bool condition, string what)
        {
            if (!condition) throw new FailedException(what);
        }

        public static void Equal<T>(T expected, T actual, string what = "")
        {
            if (!Equals(expected, actual)) throw new FailedException(what + ": expected <" + expected + ">, found <" + actual + ">");
        }

        public static void Same<T>(T[] expected, T[] actual, string what = "")
        {
            if (!expected.SequenceEqual(actual)) throw new FailedException(what + ": the lists differ");
        }

        public static void Contains(string part, string text)
        {
            if (!text.Contains(part)) throw new FailedException("<" + part + "> is not in <" + text + ">");
        }

        public static T Throws<T>(Action action)
            where T : Exception
        {
            try
            {
                action();
            }
            catch (T expected)
            {
                return expected;
            }
            throw new FailedException("no " + typeof(T).Name + " was thrown");
        }

        public static BitNetException Fails(Status status, Action action)
        {
            BitNetException failure = Throws<BitNetException>(action);
            Equal(status, failure.Status, failure.Message);
            return failure;
        }
    }

    public static class TestRunner
    {
        public static int Main(string[] arguments)
        {
            int run = 0;
            int failed = 0;
            foreach (Type type in typeof(TestRunner).Assembly.GetTypes().Where(t => t.GetCustomAttribute<TestsAttribute>() != null))
            {
                foreach (MethodInfo method in type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly))
                {
                    if (method.GetParameters().Length != 0 || method.IsSpecialName || method.Name == "Dispose") continue;
                    if (arguments.Length > 0 && !arguments.Any(part => method.Name.Contains(part))) continue;
                    run++;
                    Exception problem = Run(type, method);
                    if (problem != null) failed++;
                }
            }
            Console.WriteLine(run + " tests, " + failed + " failed");
            return run == 0 || failed > 0 ? 1 : 0;
        }

        private static Exception Run(Type type, MethodInfo method)
        {
            Stopwatch watch = Stopwatch.StartNew();
            Exception problem = null;
            object instance = null;
            try
            {
                instance = Activator.CreateInstance(type);
                method.Invoke(instance, null);
            }
            catch (TargetInvocationException exception)
            {
                problem = exception.InnerException;
            }
            IDisposable disposable = instance as IDisposable;
            if (disposable != null) disposable.Dispose();
            Console.WriteLine((problem == null ? "passed  " : "FAILED  ") + type.Name + "." + method.Name + " (" + watch.ElapsedMilliseconds
                              + " ms)");
            if (problem != null) Console.WriteLine(problem);
            return problem;
        }
    }
}
