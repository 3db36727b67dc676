#include <stdio.h>
#include <stdlib.h>

#include "lua.h"

/* Adds its arguments. */
int main(int argc, char **argv) {
  lua_State *L = lua_newstate();
  int i;
  if (L == NULL)
    return EXIT_FAILURE;
  lua_pushnumber(L, 0);
  for (i = 1; i < argc; i++) {
    lua_pushnumber(L, atof(argv[i]));
    lua_add(L);
  }
  printf("%g\n", lua_tonumber(L));
  lua_close(L);
  return EXIT_SUCCESS;
}
