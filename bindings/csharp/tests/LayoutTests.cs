// The raw layer against C: size and offsets of every struct, and every function there to be called.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.InteropServices;
using BitNet.Interop;

namespace BitNet.Tests
{
    [Tests]
    public sealed class LayoutTests
    {
        public void Structs_lie_in_memory_as_in_C()
        {
            // "bitnet_x SIZE" and "bitnet_x.field OFFSET", written by a C program.
            string[] expected = File.ReadAllLines(System.Environment.GetEnvironmentVariable("BITNET_LAYOUT"));
            List<string> found = new List<string>();
            foreach (Type type in typeof(Native).Assembly.GetTypes())
            {
                if (type.Namespace != "BitNet.Interop" || !type.IsValueType || type.IsEnum || type.IsNested || !type.IsPublic) continue;
                found.Add(type.Name + " " + Marshal.SizeOf(type));
                foreach (FieldInfo field in type.GetFields(BindingFlags.Public | BindingFlags.Instance))
                {
                    found.Add(type.Name + "." + field.Name + " " + Marshal.OffsetOf(type, field.Name));
                }
            }
            Expect.True(expected.Length > 400, "C told little");
            string[] order = expected.OrderBy(line => line, StringComparer.Ordinal).ToArray();
            string[] other = found.OrderBy(line => line, StringComparer.Ordinal).ToArray();
            string[] wrong = order.Except(other).Concat(other.Except(order)).ToArray();
            Expect.True(wrong.Length == 0, "in one of the two only: " + string.Join(", ", wrong));
        }

        public void All_functions_of_the_header_are_in_the_library()
        {
            BitNetLibrary.EnsureLoaded();
            MethodInfo[] functions = typeof(Native).GetMethods(BindingFlags.Public | BindingFlags.Static);
            Expect.True(functions.Length > 200, "few functions");
            foreach (MethodInfo function in functions) Marshal.Prelink(function); // throws where the library has none
        }
    }
}
