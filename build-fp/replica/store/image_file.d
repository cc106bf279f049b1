build-fp/replica/store/image_file.o: replica/store/image_file.c \
 replica/store/store_internal.h replica/store/store.h replica/lib/codec.h \
 replica/lib/err.h
replica/store/store_internal.h:
replica/store/store.h:
replica/lib/codec.h:
replica/lib/err.h:
