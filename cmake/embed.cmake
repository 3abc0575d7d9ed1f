# Writes OUTPUT, a C file with the bytes of FILES (a ;-list) as the array NAME
# of struct embedded_file, ended by an entry without a name.
set(text "#include \"embedded.h\"\n\n")
set(entries "")
set(n 0)
foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME)
  file(READ "${file}" hex HEX)
  string(LENGTH "${hex}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  # A C array may not be empty: one more byte, not counted.
  string(APPEND text "static const unsigned char ${NAME}_${n}[] = {${bytes}0};\n")
  string(APPEND entries "    {\"${name}\", ${NAME}_${n}, ${size}},\n")
  math(EXPR n "${n} + 1")
endforeach()
string(APPEND text "\nconst struct embedded_file ${NAME}[] = {\n${entries}    {0},\n};\n")
file(WRITE "${OUTPUT}" "${text}")
