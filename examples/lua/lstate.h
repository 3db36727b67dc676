/* What only the core knows. */
#ifndef lstate_h
#define lstate_h

#define LUA_STACK 16

struct lua_State {
  double stack[LUA_STACK];
  int top;
};

#endif
