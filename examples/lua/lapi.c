#include "lstate.h"
#include "lua.h"

void lua_pushnumber(lua_State *L, double n) {
  if (L->top < LUA_STACK)
    L->stack[L->top++] = n;
}

void lua_add(lua_State *L) {
  if (L->top >= 2) {
    L->top--;
    L->stack[L->top - 1] += L->stack[L->top];
  }
}

double lua_tonumber(const lua_State *L) {
  return L->top > 0 ? L->stack[L->top - 1] : 0;
}
