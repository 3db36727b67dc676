#include <stdlib.h>

#include "lstate.h"
#include "lua.h"

lua_State *lua_newstate(void) {
  return (lua_State *)calloc(1, sizeof(lua_State));
}

void lua_close(lua_State *L) {
  free(L);
}
